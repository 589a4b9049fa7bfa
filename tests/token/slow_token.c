/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module in front of another (NACRE_TEST_TOKEN) that signs slowly when a test wants it: C_Sign makes the file
 * "signing" and waits as long as there is a file "closed", both in the current folder. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FUNCTIONS = 68, /* of PKCS#11 2.40, in the order of the standard */
    C_SIGN = 43
};

struct functions {
    unsigned char version[2];
    void (*all[FUNCTIONS])(void);
};

typedef unsigned long sign_function(unsigned long, unsigned char *, unsigned long, unsigned char *, unsigned long *);
typedef unsigned long list_function(struct functions **);

/* Written once, before any other call of the module. */
static struct functions ours;
static sign_function *real_sign;

static unsigned long slow_sign(unsigned long session, unsigned char *data, unsigned long data_len,
                               unsigned char *signature, unsigned long *signature_len)
{
    if (access("closed", F_OK) == 0) {
        int fd = open("signing", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            (void)close(fd);
    }
    while (access("closed", F_OK) == 0)
        (void)usleep(10000);
    return real_sign(session, data, data_len, signature, signature_len);
}

unsigned long C_GetFunctionList(struct functions **out);

__attribute__((visibility("default"))) unsigned long C_GetFunctionList(struct functions **out)
{
    const char *name = getenv("NACRE_TEST_TOKEN");
    void *module = name == NULL ? NULL : dlopen(name, RTLD_NOW | RTLD_LOCAL);
    union {
        void *object;
        list_function *call;
    } list = {module == NULL ? NULL : dlsym(module, "C_GetFunctionList")};
    struct functions *theirs = NULL;
    if (list.object == NULL || list.call(&theirs) != 0)
        return 5; /* CKR_GENERAL_ERROR */
    ours = *theirs;
    real_sign = (sign_function *)theirs->all[C_SIGN];
    ours.all[C_SIGN] = (void (*)(void))slow_sign;
    *out = &ours;
    return 0;
}
