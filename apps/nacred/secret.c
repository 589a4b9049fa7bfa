/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <stdint.h>
#include <string.h>

#include "system.h"

void nacred_wipe(void *at, size_t len)
{
    nacred_wipe_bytes(at, len);
}

bool nacred_password_set(struct password *password, const char *text, size_t len)
{
    memset(password, 0, sizeof *password);
    if (len == 0 || len > PASSWORD_MAX || memchr(text, 0, len))
        return false;
    memcpy(password->bytes, text, len);
    password->len = len;
    return true;
}

bool nacred_password_equal(const struct password *a, const struct password *b)
{
    volatile unsigned char differ = (unsigned char)(a->len != b->len) | (unsigned char)(a->len == 0);

    for (size_t i = 0; i < sizeof a->bytes; i++)
        differ = (unsigned char)(differ | (a->bytes[i] ^ b->bytes[i]));
    return differ == 0;
}

bool nacred_password_make(char text[25])
{
    /* 32 signs, so that each takes 5 random bits and none is more likely; without l, o, 0 and 1, which look alike. */
    static const char signs[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[24];

    _Static_assert(sizeof signs == 33, "5 bits a sign");
    if (!nacred_random(random, sizeof random))
        return false;
    for (size_t i = 0; i < 24; i++)
        text[i] = signs[random[i] & 31];
    text[24] = 0;
    nacred_wipe(random, sizeof random);
    return true;
}
