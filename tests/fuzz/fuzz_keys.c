/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of keys and certificates, as bytes of every type that is read without a file. */
#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "keys/detect.h"
#include "keys/store.h"

static void check_key(struct key *k)
{
    struct buf pem;
    nacre_buf_init(&pem, STORE_FILE_MAX);
    (void)nacre_store_write_pem(k, &pem);
    fuzz_must(nacre_key_blob(k).len != 0, "a key has a public half");
    nacre_buf_wipe(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const enum store_type types[] = {STORE_PFX_BLOB, STORE_JKS_BLOB, STORE_PEM_BLOB,        STORE_PUBLIC_BLOB,
                                            STORE_P7B_BLOB, STORE_PPK_BLOB, STORE_SSH_PUBLIC_BLOB, STORE_XML_BLOB,
                                            STORE_JWK_BLOB, STORE_AUTO,     STORE_BCFKS_BLOB};
    static const char *const passwords[] = {NULL, "", "pw", "test"};
    struct input in = input_over(bytes, len);
    struct buf certificate;
    struct key *key = NULL;
    char subject[256], why[512];
    uint8_t how = input_u8(&in);
    struct store_request request = {.type = types[(how & 15) % (sizeof types / sizeof *types)],
                                    .password = passwords[how >> 4 & 3],
                                    .subject = "*",
                                    .public_only_will_do = (how & 0x40) != 0,
                                    .work_divisor = 64, /* what is found is to be a hang, and not a dear password */
                                    .certificate = (how & 0x80) != 0 ? &certificate : NULL};
    request.store = span_of(in.at, in.left);
    if (request.type == STORE_AUTO && !nacre_detect_contents(request.store))
        return 0;
    fuzz_restart_random();
    nacre_buf_init(&certificate, STORE_FILE_MAX);
    enum nacre_error e = nacre_store_open(fuzz_crypto(), &request, &key, subject, sizeof subject, why, sizeof why);
    fuzz_must((e == NACRE_OK) == (key != NULL), "a key, or an error");
    if (key != NULL)
        check_key(key);
    nacre_key_unref(key);
    nacre_buf_free(&certificate);
    return 0;
}
