/* SPDX-License-Identifier: Apache-2.0 */
/* The binary packet protocol, RFC 4253 section 6: packets out of bytes and bytes out of packets.
 *
 * A packet to send is written straight into the last block of the output queue, with room for its header in front and
 * for padding and tag behind, and sealed in place; a block that has that room around a payload becomes a packet where
 * it lies. Only what has to wait for a key exchange or to be compressed is written aside first. */
#ifndef SSH_PACKET_H
#define SSH_PACKET_H

#include "base/buf.h"
#include "base/pool.h"
#include "crypto/algs.h"
#include "crypto/mac.h"
#include "ssh/messages.h"
#include "wire/wr.h"

/* Around a payload: the header; padding of at most a block of 16 and 3, and a tag of at most MAC_MAX. */
enum {
    PACKET_HEAD = 5,
    PACKET_TAIL = 32 + MAC_MAX
};

/* What one direction is protected with. All NULL before the first NEWKEYS. */
struct keys {
    const struct cipher_alg *cipher_alg;
    const struct mac_alg *mac_alg; /* NULL with an AEAD */
    const struct comp_alg *comp_alg;
    struct cipher *cipher;
    struct mac *mac;
    struct comp *comp; /* NULL: not compressing (now) */
};

struct direction {
    struct keys keys;
    uint32_t seq;
    uint64_t packets, bytes; /* with these keys */
};

/* The packet at the front of what is fed, as far as it has been looked at. */
struct partial {
    uint32_t length;  /* of the packet behind its length field; 0: not known yet */
    uint32_t opened;  /* bytes at the front already decrypted in place */
    uint32_t discard; /* bytes to swallow before the failure is shown */
};

struct output {
    struct block *first, *last;
    size_t bytes;
};

/* A packet being written: open, write the payload behind the message number to `w`, close. */
struct packet {
    struct wr w;
    struct block *block; /* being written in place; NULL: aside */
    struct buf aside;
    uint8_t type;
    bool refused; /* the connection is closing */
};

/* ---- packet_in.c -------------------------------------------------------------------------------------------- */

/* Takes the packet at the front. *used 0: incomplete, or the connection failed; otherwise *payload is its payload from
 * the message number on (empty while bytes are only being swallowed), valid as long as `bytes` and until the next
 * packet. */
enum step nacre_packet_take(struct conn *c, uint8_t *bytes, size_t len, size_t *used, struct span *payload);

/* ---- packet_out.c ------------------------------------------------------------------------------------------- */

/* `room` is the most the payload will be behind its message number. Nothing else may be sent between open and close. */
void nacre_packet_open(struct conn *c, struct packet *p, uint8_t type, size_t room);

/* As above; `more` bytes of further packets are about to follow, so a block for all of them may be taken. */
void nacre_packet_open_bulk(struct conn *c, struct packet *p, uint8_t type, size_t room, size_t more);

/* STEP_NEXT, or STEP_CLOSE after a failure. */
enum step nacre_packet_close(struct conn *c, struct packet *p);

/* Whether nacre_packet_seal() may have a block that gets `head` bytes more in front of what it holds. */
bool nacre_packet_is_room(const struct conn *c, const struct block *b, size_t head);

/* Makes a packet of the payload that is all that `b` holds, and takes the caller's reference, which is the only one. */
enum step nacre_packet_seal(struct conn *c, struct block *b);

/* Sends a message without fields. */
enum step nacre_packet_empty(struct conn *c, uint8_t type);

/* Sends a whole payload from its message number on. */
enum step nacre_packet_payload(struct conn *c, struct span payload);

/* Sends what had to wait for our NEWKEYS. */
enum step nacre_packets_release(struct conn *c);

/* True when an application may cause another packet: the queues it would join are not long. */
bool nacre_packet_has_room(const struct conn *c);

/* ---- output.c ----------------------------------------------------------------------------------------------- */

/* A block with at least `need` free bytes behind its used ones at the end of the queue, or NULL. */
struct block *nacre_output_room(struct conn *c, size_t need, size_t more);

/* The block becomes the last of the queue. Takes the caller's reference. */
void nacre_output_append(struct conn *c, struct block *b);

/* Free bytes in the last block. */
size_t nacre_output_left(const struct conn *c);
void nacre_output_add(struct conn *c, struct block *b, size_t len);

/* Raw bytes: the identification line. */
bool nacre_output_put(struct conn *c, struct span bytes);
void nacre_output_free(struct conn *c);

/* ---- keys.c ------------------------------------------------------------------------------------------------- */

void nacre_keys_free(struct keys *k);

/* Puts keys in use from the next packet on (rule R3: strict-kex restarts the numbering). Takes them over. */
bool nacre_keys_install(struct conn *c, struct direction *d, struct keys *k);

/* Starts the compression that waited for authentication. */
bool nacre_keys_start_delayed(struct conn *c);

static inline bool keys_are_etm(const struct keys *k)
{
    return k->mac_alg != NULL && k->mac_alg->etm;
}

/* True when the length field is not part of what is encrypted with the rest. */
static inline bool keys_split_length(const struct keys *k)
{
    return k->cipher_alg != NULL && (k->cipher_alg->tag_len != 0 || k->mac_alg == NULL || k->mac_alg->etm);
}

static inline size_t keys_block_len(const struct keys *k)
{
    return k->cipher_alg == NULL || k->cipher_alg->block_len < 8 ? 8 : k->cipher_alg->block_len;
}

static inline size_t keys_tag_len(const struct keys *k)
{
    if (k->cipher_alg == NULL)
        return 0;
    return k->cipher_alg->tag_len != 0 ? k->cipher_alg->tag_len : k->mac_alg == NULL ? 0 : k->mac_alg->tag_len;
}

#endif
