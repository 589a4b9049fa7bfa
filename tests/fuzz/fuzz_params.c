/* SPDX-License-Identifier: Apache-2.0 */
/* nacre_get_ssh_param() over any payload, and nacre_set_ssh_param() of what was read. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "nacre/nacre.h"

static void copy_text(char *to, size_t size, struct span s)
{
    size_t len = s.len < size - 1 ? s.len : size - 1;
    if (len != 0)
        memcpy(to, s.at, len);
    to[len] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input in = input_over(bytes, len);
    char field[80], value[512], type[8];
    unsigned char read[512], out[2048];
    size_t read_len = sizeof read, out_len = sizeof out;
    copy_text(field, sizeof field, input_take(&in, input_u8(&in) % 80));
    copy_text(type, sizeof type, input_take(&in, input_u8(&in) % 8));
    copy_text(value, sizeof value, input_take(&in, input_u8(&in)));
    int e = nacre_set_ssh_param(in.at, in.left, type, value, out, &out_len);
    fuzz_must(e != 0 || out_len <= sizeof out, "what was written is in bounds");
    if (e == 0)
        (void)nacre_get_ssh_param(out, out_len, type, value, sizeof value);
    e = nacre_get_ssh_param(in.at, in.left, field, value, sizeof value);
    fuzz_must(e != 0 || memchr(value, 0, sizeof value) != NULL, "a value ends");
    e = nacre_get_ssh_param_bytes(in.at, in.left, field, read, &read_len);
    fuzz_must(e != 0 || read_len <= sizeof read, "what was read is in bounds");
    return 0;
}
