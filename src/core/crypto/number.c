/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/number.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>

static BIGNUM *parse(const char *text)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    size_t len = strlen(digits);
    BIGNUM *n = NULL;
    if (len == 0 || len > NUMBER_TEXT_MAX || strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != len)
        return NULL;
    if ((hex ? BN_hex2bn(&n, digits) : BN_dec2bn(&n, digits)) != (int)len)
        return NULL;
    return n;
}

bool nacre_number_read(const char *text, struct buf *out)
{
    BIGNUM *n = parse(text);
    int len = n == NULL ? 0 : BN_num_bytes(n);
    uint8_t *at = len == 0 ? NULL : nacre_buf_reserve(out, (size_t)len);
    bool ok = n != NULL && (len == 0 || at != NULL);
    if (at != NULL)
        out->len += (size_t)BN_bn2bin(n, at);
    BN_clear_free(n);
    ERR_clear_error();
    return ok;
}

bool nacre_number_write(struct span magnitude, struct buf *out)
{
    if (magnitude.len > NUMBER_TEXT_MAX)
        return false;
    BIGNUM *n = BN_bin2bn(magnitude.at, (int)magnitude.len, NULL);
    char *text = n == NULL ? NULL : BN_bn2dec(n);
    bool ok = text != NULL && nacre_buf_append(out, text, strlen(text));
    OPENSSL_free(text);
    BN_clear_free(n);
    ERR_clear_error();
    return ok;
}
