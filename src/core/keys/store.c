/* SPDX-License-Identifier: Apache-2.0 */
/* The container types as a table, and the way from a request to a key: name or contents, then the reader of the type.
 */
#include "keys/store.h"

#include <stdio.h>

#include "keys/detect.h"

enum {
    QUOTED_MAX = 160
};

enum how {
    HOW_READ,  /* by the row's reader */
    HOW_NAMED, /* the same, and the store is a name that is no file of keys */
    HOW_JAVA,  /* the class gives it to Java alone */
};

struct store_row {
    enum store_type type;
    const char *name;
    enum how how;
    bool file;
    enum nacre_error (*read)(struct container *k, struct key **out);
};

/* clang-format off */
static const struct store_row rows[] = {
    /* type                 name                      how          file   reader */
    {STORE_USER,            "User",                   HOW_NAMED,   false, nacre_user_store_read},
    {STORE_MACHINE,         "Machine",                HOW_NAMED,   false, nacre_machine_store_read},
    {STORE_PFX_FILE,        "PFX file",               HOW_READ,    true,  nacre_pfx_read},
    {STORE_PFX_BLOB,        "PFX blob",               HOW_READ,    false, nacre_pfx_read},
    {STORE_JKS_FILE,        "JKS file",               HOW_JAVA,    true,  NULL},
    {STORE_JKS_BLOB,        "JKS blob",               HOW_JAVA,    false, NULL},
    {STORE_PEM_FILE,        "PEM file",               HOW_READ,    true,  nacre_pem_read},
    {STORE_PEM_BLOB,        "PEM blob",               HOW_READ,    false, nacre_pem_read},
    {STORE_PUBLIC_FILE,     "public key file",        HOW_READ,    true,  nacre_public_read},
    {STORE_PUBLIC_BLOB,     "public key blob",        HOW_READ,    false, nacre_public_read},
    {STORE_SSH_PUBLIC_BLOB, "SSH public key blob",    HOW_READ,    false, nacre_ssh_public_read},
    {STORE_P7B_FILE,        "P7B file",               HOW_READ,    true,  nacre_p7b_read},
    {STORE_P7B_BLOB,        "P7B blob",               HOW_READ,    false, nacre_p7b_read},
    {STORE_SSH_PUBLIC_FILE, "SSH public key file",    HOW_READ,    true,  nacre_ssh_public_read},
    {STORE_PPK_FILE,        "PPK file",               HOW_READ,    true,  nacre_ppk_read},
    {STORE_PPK_BLOB,        "PPK blob",               HOW_READ,    false, nacre_ppk_read},
    {STORE_XML_FILE,        "XML file",               HOW_READ,    true,  nacre_xml_read},
    {STORE_XML_BLOB,        "XML blob",               HOW_READ,    false, nacre_xml_read},
    {STORE_JWK_FILE,        "JWK file",               HOW_READ,    true,  nacre_jwk_read},
    {STORE_JWK_BLOB,        "JWK blob",               HOW_READ,    false, nacre_jwk_read},
    {STORE_BCFKS_FILE,      "BCFKS file",             HOW_JAVA,    true,  NULL},
    {STORE_BCFKS_BLOB,      "BCFKS blob",             HOW_JAVA,    false, NULL},
    {STORE_PKCS11,          "PKCS#11",                HOW_NAMED,   false, nacre_pkcs11_read},
    {STORE_AUTO,            "auto",                   HOW_READ,    true,  nacre_detect_read},
};
/* clang-format on */

static const struct store_row *row_of(enum store_type type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].type == type)
            return &rows[i];
    }
    return NULL;
}

/* The class takes blobs also as base64. Anything but plain base64 is left as it is. */
static bool unwrap(struct span given, struct buf *out)
{
    return given.len >= 16 && nacre_base64_read(given, out) && out->len != 0;
}

/* STORE_AUTO: contents, base64 on one line that decodes to contents, or else the name of a file. */
static bool is_file(const struct store_row *row, struct span store)
{
    struct buf plain;
    if (row->type != STORE_AUTO || nacre_detect_contents(store))
        return row->file && row->type != STORE_AUTO;
    if (nacre_file_exists(store))
        return true;
    nacre_buf_init(&plain, STORE_FILE_MAX);
    bool contents = unwrap(store, &plain) && nacre_detect_known(buf_span(&plain));
    nacre_buf_wipe(&plain);
    return !contents;
}

/* The name in quotes; of one that would leave no room to say what is wrong, the end. */
static void quote(struct span name, char *out, size_t size)
{
    size_t cut = name.len > QUOTED_MAX ? name.len - QUOTED_MAX : 0;
    snprintf(out, size, "\"%s%.*s\"", cut == 0 ? "" : "...", (int)(name.len - cut),
             name.len == 0 ? "" : (const char *)name.at + cut);
}

static enum nacre_error read_store(struct container *k, const struct store_row *row, struct span store,
                                   struct key **out)
{
    char name[512];
    struct buf bytes;
    enum nacre_error e = NACRE_OK;
    const bool file = is_file(row, store);
    nacre_buf_init(&bytes, STORE_FILE_MAX + 1);
    if (file && !nacre_detect_contents(store)) { /* contents are never told: they may be a key */
        quote(store, name, sizeof name);
        k->name = name;
    }
    if (file)
        e = nacre_file_read(k, store, &bytes);
    else if (store.len > STORE_FILE_MAX)
        e = nacre_container_fail(k, NACRE_E_KEY, "is larger than %d bytes.", STORE_FILE_MAX);
    if (e == NACRE_OK) {
        k->bytes = file || unwrap(store, &bytes) ? buf_span(&bytes) : store;
        e = k->bytes.len == 0 ? nacre_container_fail(k, NACRE_E_KEY, "is empty.") : row->read(k, out);
    }
    nacre_buf_wipe(&bytes);
    return e;
}

static enum nacre_error read_named(struct container *k, const struct store_row *row, struct span store,
                                   struct key **out)
{
    char name[512];
    quote(store, name, sizeof name);
    k->name = name;
    k->bytes = store;
    return row->read(k, out);
}

static enum nacre_error refuse(struct container *k, const struct store_row *row)
{
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type %s, which is supported in Java only.", row->name);
}

enum nacre_error nacre_store_open(const struct nacre_crypto *c, const struct store_request *request, struct key **out,
                                  char *subject_out, size_t subject_size, char *why, size_t why_size)
{
    const struct store_row *row = row_of(request->type);
    *out = NULL;
    if (subject_size != 0)
        subject_out[0] = 0;
    if (why_size != 0)
        why[0] = 0;
    struct container k = {
        .c = c,
        .name = "The key store",
        .password = request->password == NULL ? "" : request->password,
        .subject = request->subject == NULL ? "*" : request->subject,
        .subject_out = subject_out,
        .subject_size = subject_size,
        .public_only_will_do = request->public_only_will_do,
        .work_divisor = request->work_divisor == 0 ? 1 : request->work_divisor,
        .certificate = request->certificate,
        .why = why,
        .why_size = why_size,
    };
    if (row == NULL)
        return nacre_container_fail(&k, NACRE_E_KEY_TYPE, "is of type %d, which does not exist.", (int)request->type);
    if (row->how == HOW_NAMED)
        return read_named(&k, row, request->store, out);
    return row->how == HOW_READ ? read_store(&k, row, request->store, out) : refuse(&k, row);
}
