/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes of nacre, made from errors.def.
 *
 * Codes 100 to 135, 1201, 1202, 1300, 1301 and 10004 to 11004 are those of the SSHServer class; 160 to 166 and 1001 to
 * 1062 are nacre's own. 0 is success everywhere. */
#ifndef NACRE_ERRORS_H
#define NACRE_ERRORS_H

#ifdef __cplusplus
extern "C" {
#endif

enum nacre_error {
    NACRE_OK = 0,
#define E(name, code, class, disconnect, text) NACRE_E_##name = code,
#include "nacre/errors.def"
#undef E
};

/* Who has to act on an error: nacre_error_class(). */
enum nacre_error_class {
    NACRE_CLASS_OK,       /* an orderly end, nobody                                    */
    NACRE_CLASS_USAGE,    /* the caller: a wrong argument, state or setting            */
    NACRE_CLASS_LIMIT,    /* the operator: a configured or system limit was reached    */
    NACRE_CLASS_IO,       /* the network                                               */
    NACRE_CLASS_PEER,     /* the peer: it broke the protocol, or proved nothing        */
    NACRE_CLASS_INTERNAL, /* nacre itself, or a library under it                       */
};

#ifdef __cplusplus
}
#endif

#endif
