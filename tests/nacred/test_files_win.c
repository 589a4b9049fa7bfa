/* SPDX-License-Identifier: Apache-2.0 */
/* Who may touch a file on Windows: access lists as the system has them, each with one entry. */
#include <windows.h>

#include <aclapi.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sddl.h>
#include <stdio.h>

#include "files.h"
#include "support/divert_win.h"

extern any_function __imp_GetNamedSecurityInfoW;

static const char *list;

static DWORD WINAPI give_list(LPCWSTR name, SE_OBJECT_TYPE kind, SECURITY_INFORMATION what, PSID *owner, PSID *group,
                              PACL *dacl, PACL *sacl, PSECURITY_DESCRIPTOR *descriptor)
{
    BOOL there, by_default;
    (void)name, (void)kind, (void)what, (void)owner, (void)group, (void)sacl;
    cr_assert(ConvertStringSecurityDescriptorToSecurityDescriptorA(list, SDDL_REVISION_1, descriptor, NULL));
    cr_assert(GetSecurityDescriptorDacl(*descriptor, &there, dacl, &by_default));
    return ERROR_SUCCESS;
}

struct list_case {
    char list[64];
    bool secret, trusted;
};

ParameterizedTestParameters(nacred_files_win, access_lists)
{
    static struct list_case cases[] = {
        {"D:(A;;FA;;;SY)", true, true},
        {"D:(A;;FA;;;BA)", true, true},
        {"D:(A;;FA;;;S-1-5-21-1-2-3-1001)", true, true},
        {"D:(A;IO;FA;;;WD)", true, true},
        {"D:(A;;FA;;;WD)", false, false},
        {"D:(A;;FR;;;WD)", false, true},
        {"D:(A;;FR;;;AU)", false, true},
        {"D:(A;;FR;;;BU)", false, true},
        {"D:(A;;FR;;;BG)", false, true},
        {"D:(A;;FR;;;AN)", false, true},
        /* everybody who has come in that way, and everybody who has an account here or in the domain */
        {"D:(A;;FR;;;IU)", false, true},
        {"D:(A;;FA;;;IU)", false, false},
        {"D:(A;;FA;;;NU)", false, false},
        {"D:(A;;FA;;;S-1-2-0)", false, false},
        {"D:(A;;FA;;;S-1-5-15)", false, false},
        {"D:(A;;FA;;;S-1-5-21-1-2-3-513)", false, false},
        /* who may write a key can put his own there, and who may change the list can read it */
        {"D:(A;;FW;;;WD)", false, false},
        {"D:(A;;WD;;;WD)", false, false},
        {"D:(A;;WO;;;WD)", false, false},
    };
    return cr_make_param_array(struct list_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct list_case *c, nacred_files_win, access_lists)
{
    char path[64];
    snprintf(path, sizeof path, "list-%lu", GetCurrentProcessId());
    cr_assert(nacred_file_make(path, "text"));
    list = c->list;
    any_function kept = divert(&__imp_GetNamedSecurityInfoW, (any_function)give_list);
    const char *secret = nacred_file_secret_wrong(path), *trust = nacred_file_trust_wrong(NULL, path);
    (void)divert(&__imp_GetNamedSecurityInfoW, kept);
    cr_expect_eq(DeleteFileA(path), TRUE);
    cr_expect_eq(secret == NULL, c->secret, "%s: %s", c->list, secret ? secret : "secret");
    cr_expect_eq(trust == NULL, c->trusted, "%s: %s", c->list, trust ? trust : "trusted");
}
