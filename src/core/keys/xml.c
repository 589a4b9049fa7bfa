/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in XML: RSAKeyValue and DSAKeyValue of XML-Signature (W3C xmldsig-core1 sections 4.5.2.1 and 4.5.2.2) with the
 * private numbers that .NET adds, alone or below KeyValue and KeyInfo, where X509Certificate may stand beside them.
 *
 * libxml2 parses, without network, entities or document types. It reads from a copy that is wiped, and so are its
 * texts. */
#include "keys/container.h"

#ifdef NACRE_HAVE_LIBXML2

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "keys/numbers.h"

enum {
    MEMBERS_MAX = 8,
    DER_MAX = 1 << 16,
    TEXT_MAX = 1 << 18, /* the parser compares every attribute of an element with all before it */
    OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA
};

/* The node after `n` in the order of the document, below `top`; NULL: there is none. No recursion: depth is the file's
 * choice. */
static xmlNode *next_node(xmlNode *n, const xmlNode *top)
{
    if (n->type == XML_ELEMENT_NODE && n->children != NULL)
        return n->children;
    while (n != NULL && n != top && n->next == NULL)
        n = n->parent;
    return n == NULL || n == top ? NULL : n->next;
}

static void wipe_texts(xmlDoc *doc)
{
    xmlNode *root = xmlDocGetRootElement(doc);
    for (xmlNode *n = root; n != NULL; n = next_node(n, root)) {
        if (n->type == XML_TEXT_NODE && n->content != NULL)
            nacre_wipe(n->content, strlen((const char *)n->content));
    }
}

/* A document type can declare things by the million, each in a few bytes: the parser stops where one begins. */
static void refuse_type(void *context, const xmlChar *name, const xmlChar *public, const xmlChar *system)
{
    xmlParserCtxt *x = context;
    (void)name;
    (void)public;
    (void)system;
    *(bool *)x->_private = true;
    xmlStopParser(x);
}

/* `text` ends in NUL and is read where it stands. */
static xmlDoc *parse(const uint8_t *text, bool *has_type)
{
    xmlDoc *doc = NULL;
    xmlInitParser();
    xmlParserCtxt *x = xmlNewParserCtxt();
    xmlParserInput *in = x == NULL ? NULL : xmlNewStringInputStream(x, text);
    bool pushed = in != NULL && inputPush(x, in) >= 0;
    if (in != NULL && !pushed)
        xmlFreeInputStream(in);
    if (pushed) {
        xmlCtxtUseOptions(x, OPTIONS);
        x->_private = has_type;
        x->sax->internalSubset = refuse_type;
        xmlParseDocument(x);
        doc = x->myDoc;
        x->myDoc = NULL;
        if (doc != NULL && (!x->wellFormed || *has_type)) {
            wipe_texts(doc);
            xmlFreeDoc(doc);
            doc = NULL;
        }
    }
    xmlFreeParserCtxt(x);
    return doc;
}

/* The first element of that name, whatever its name space. */
static xmlNode *element(xmlNode *top, const char *name)
{
    for (xmlNode *n = top; n != NULL; n = next_node(n, top)) {
        if (n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0)
            return n;
    }
    return NULL;
}

/* The base64 below an element, decoded. */
static bool value_of(const xmlNode *parent, const char *name, struct buf *out)
{
    const xmlNode *n = parent->children;
    while (n != NULL && (n->type != XML_ELEMENT_NODE || strcmp((const char *)n->name, name) != 0))
        n = n->next;
    const xmlNode *text = n == NULL ? NULL : n->children;
    bool ok = text != NULL && text->type == XML_TEXT_NODE && text->next == NULL && text->content != NULL;
    return ok && nacre_base64_read(span_str((const char *)text->content), out);
}

/* The numbers of one key, decoded. */
struct members {
    struct buf bytes[MEMBERS_MAX];
    size_t count;
};

static struct span member(struct members *m, const xmlNode *key, const char *name)
{
    if (m->count == MEMBERS_MAX)
        return span_of(NULL, 0);
    struct buf *b = &m->bytes[m->count++];
    nacre_buf_init(b, 2 * NUMBER_MAX);
    return value_of(key, name, b) ? buf_span(b) : span_of(NULL, 0);
}

static EVP_PKEY *read_rsa(const struct container *k, const xmlNode *key, struct members *m, bool public)
{
    if (public) {
        const struct rsa_numbers open = {
            .n = member(m, key, "Modulus"), .e = member(m, key, "Exponent"), .public = true};
        return nacre_numbers_rsa(k->c, &open);
    }
    const struct rsa_numbers n = {.n = member(m, key, "Modulus"),
                                  .e = member(m, key, "Exponent"),
                                  .d = member(m, key, "D"),
                                  .p = member(m, key, "P"),
                                  .q = member(m, key, "Q"),
                                  .iqmp = member(m, key, "InverseQ")};
    return nacre_numbers_rsa(k->c, &n);
}

static EVP_PKEY *read_dsa(const struct container *k, const xmlNode *key, struct members *m, bool public)
{
    const struct dsa_numbers n = {.p = member(m, key, "P"),
                                  .q = member(m, key, "Q"),
                                  .g = member(m, key, "G"),
                                  .y = member(m, key, "Y"),
                                  .x = public ? span_of(NULL, 0) : member(m, key, "X"),
                                  .public = public};
    return nacre_numbers_dsa(k->c, &n);
}

/* Private keys are those with a D or an X. */
static bool is_public(xmlNode *key, bool rsa)
{
    return element(key, rsa ? "D" : "X") == NULL;
}

static EVP_PKEY *read_numbers(const struct container *k, xmlNode *key, bool rsa)
{
    struct members m = {.count = 0};
    bool public = is_public(key, rsa);
    EVP_PKEY *pkey = rsa ? read_rsa(k, key, &m, public) : read_dsa(k, key, &m, public);
    for (size_t i = 0; i < m.count; i++)
        nacre_buf_wipe(&m.bytes[i]);
    return pkey;
}

static bool certificate_fits(struct container *k, xmlNode *root, const struct key *key)
{
    xmlNode *n = element(root, "X509Certificate");
    struct buf der;
    if (n == NULL)
        return true;
    nacre_buf_init(&der, DER_MAX);
    X509 *x = value_of(n->parent, "X509Certificate", &der) ? nacre_container_x509(k, buf_span(&der)) : NULL;
    bool fits = nacre_container_beside(k, key, x);
    X509_free(x);
    nacre_buf_free(&der);
    return fits;
}

static enum nacre_error read_key(struct container *k, xmlNode *root, xmlNode *node, bool rsa, struct key **out)
{
    struct key *key = NULL;
    EVP_PKEY *pkey = read_numbers(k, node, rsa);
    if (pkey == NULL)
        return nacre_container_fail(k, NACRE_E_KEY, "is damaged: its %s cannot be read.", (const char *)node->name);
    enum nacre_error e = nacre_container_take(k, pkey, &key);
    if (e != NACRE_OK)
        return e;
    if (!certificate_fits(k, root, key)) {
        nacre_key_unref(key);
        return nacre_container_absent(k);
    }
    *out = key;
    return NACRE_OK;
}

static enum nacre_error read_document(struct container *k, xmlNode *root, struct key **out)
{
    xmlNode *rsa = element(root, "RSAKeyValue");
    xmlNode *node = rsa != NULL ? rsa : element(root, "DSAKeyValue");
    if (node == NULL)
        return nacre_container_fail(k, NACRE_E_KEY, "is XML without RSAKeyValue or DSAKeyValue.");
    if (is_public(node, rsa != NULL) && !k->public_only_will_do)
        return nacre_container_fail(k, NACRE_E_NO_CERTIFICATE, "holds no private key.");
    return read_key(k, root, node, rsa != NULL, out);
}

enum nacre_error nacre_xml_read(struct container *k, struct key **out)
{
    struct buf copy;
    enum nacre_error e = NACRE_E_KEY;
    const struct span text = nacre_text_trim(k->bytes);
    if (text.len > TEXT_MAX)
        return nacre_container_fail(k, e, "is XML of more than %d bytes.", TEXT_MAX);
    nacre_buf_init(&copy, TEXT_MAX + 1);
    bool has_type = false;
    bool ready = !span_has_nul(text) && nacre_buf_append(&copy, text.at, text.len) && nacre_buf_append(&copy, "", 1);
    xmlDoc *doc = ready ? parse(copy.at, &has_type) : NULL;
    if (has_type)
        (void)nacre_container_fail(k, e, "is XML with a document type, which keys have no use for.");
    else if (doc == NULL)
        (void)nacre_container_fail(k, e, "is not XML that can be read here.");
    else
        e = read_document(k, xmlDocGetRootElement(doc), out);
    if (doc != NULL) {
        wipe_texts(doc);
        xmlFreeDoc(doc);
    }
    nacre_buf_wipe(&copy);
    return e;
}

#else

enum nacre_error nacre_xml_read(struct container *k, struct key **out)
{
    (void)out;
    return nacre_container_fail(k, NACRE_E_NOT_SUPPORTED, "is of type XML, and this build is without libxml2.");
}

#endif
