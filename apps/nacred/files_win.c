/* SPDX-License-Identifier: Apache-2.0 */
/* Who may touch a file stands in its access list. The groups that stand for everybody are looked for there, whether by
 * how they have come in or by having an account at all: an account or another group that somebody has put into the list
 * by name is meant to be there. */
#include "files.h"

#include <windows.h>

#include <aclapi.h>
#include <errno.h>
#include <io.h>
#include <sddl.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"
#include "wide_win.h"

enum {
    LIST_MAX_WIDE = 256, /* a SID is shorter than 190 signs */
};

#define MAY_CHANGE (FILE_WRITE_DATA | FILE_APPEND_DATA | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)

FILE *nacred_file_open(const char *path)
{
    wchar_t *wide = nacred_wide(path);
    FILE *file = wide ? _wfopen(wide, L"rbN") : NULL;

    free(wide);
    return file;
}

bool nacred_file_is_missing(const char *path)
{
    wchar_t *wide = nacred_wide(path);
    bool missing =
        wide && GetFileAttributesW(wide) == INVALID_FILE_ATTRIBUTES && nacred_errno_of(GetLastError()) == ENOENT;

    free(wide);
    return missing;
}

/* ---- making one ---- */

/* A list in which this account has all rights and nobody else any; none come from the folder. NULL when that fails. */
static PSECURITY_DESCRIPTOR make_private_list(void)
{
    union {
        TOKEN_USER user;
        BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } token;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    DWORD size = sizeof token;
    wchar_t *sid = NULL, text[LIST_MAX_WIDE];
    HANDLE handle;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &handle))
        return NULL;
    bool known = GetTokenInformation(handle, TokenUser, &token, size, &size) &&
                 ConvertSidToStringSidW(token.user.User.Sid, &sid);
    CloseHandle(handle);
    if (!known)
        return NULL;
    swprintf(text, LIST_MAX_WIDE, L"D:P(A;;FA;;;%ls)", sid);
    LocalFree(sid);
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &descriptor, NULL))
        return NULL;
    return descriptor;
}

static HANDLE create_private(const wchar_t *path)
{
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes, .lpSecurityDescriptor = make_private_list()};

    if (!attributes.lpSecurityDescriptor)
        return INVALID_HANDLE_VALUE;
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, &attributes, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD failed = GetLastError();
    LocalFree(attributes.lpSecurityDescriptor);
    SetLastError(failed);
    return file;
}

static wchar_t *temporary_name(const char *path)
{
    size_t size = strlen(path) + 24;
    char *name = malloc(size);
    uint64_t random;

    if (!name || !nacred_random(&random, sizeof random)) {
        free(name);
        return NULL;
    }
    snprintf(name, size, "%s.%016llx", path, (unsigned long long)random);
    wchar_t *wide = nacred_wide(name);
    free(name);
    return wide;
}

static bool write_private(const wchar_t *path, const char *text)
{
    DWORD len = (DWORD)strlen(text), written = 0;
    HANDLE file = create_private(path);

    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool good = WriteFile(file, text, len, &written, NULL) && written == len && FlushFileBuffers(file);
    DWORD failed = GetLastError();
    CloseHandle(file);
    SetLastError(failed);
    return good;
}

/* MoveFileExW() without a flag leaves a file alone that is there. */
bool nacred_file_make(const char *path, const char *text)
{
    wchar_t *wide = nacred_wide(path);
    wchar_t *temporary = temporary_name(path);
    int failed = ENOMEM;
    bool made = false;

    if (wide && temporary) {
        made = write_private(temporary, text) && MoveFileExW(temporary, wide, MOVEFILE_WRITE_THROUGH);
        failed = nacred_errno_of(GetLastError());
        if (!made)
            DeleteFileW(temporary);
    }
    free(wide);
    free(temporary);
    errno = failed;
    return made;
}

/* ---- who may touch it ---- */

/* The group of all accounts of a domain, or ("None") of a computer: S-1-5-21-...-513. */
static bool is_all_accounts(PSID sid)
{
    static const SID_IDENTIFIER_AUTHORITY nt = {SECURITY_NT_AUTHORITY};
    DWORD count = *GetSidSubAuthorityCount(sid);

    return memcmp(GetSidIdentifierAuthority(sid), &nt, sizeof nt) == 0 && count == 5 &&
           *GetSidSubAuthority(sid, 0) == SECURITY_NT_NON_UNIQUE &&
           *GetSidSubAuthority(sid, count - 1) == DOMAIN_GROUP_RID_USERS;
}

static bool is_everybody(PSID sid)
{
    /* clang-format off */
    static const WELL_KNOWN_SID_TYPE kinds[] = {
        WinWorldSid,       WinAuthenticatedUserSid, WinBuiltinUsersSid, WinBuiltinGuestsSid,    WinAnonymousSid,
        WinInteractiveSid, WinNetworkSid,           WinLocalSid,        WinThisOrganizationSid,
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (IsWellKnownSid(sid, kinds[i]))
            return true;
    return is_all_accounts(sid);
}

/* Whether everybody has one of these rights to the file itself. A file without a list has no protection at all. */
static bool list_allows(PACL list, DWORD rights)
{
    if (!list)
        return true;
    for (DWORD i = 0; i < list->AceCount; i++) {
        void *entry;

        if (!GetAce(list, i, &entry))
            return true;
        const ACCESS_ALLOWED_ACE *ace = entry;
        if (ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && (ace->Header.AceFlags & INHERIT_ONLY_ACE) == 0 &&
            (ace->Mask & rights) != 0 && is_everybody((PSID)&ace->SidStart))
            return true;
    }
    return false;
}

static const char *everybody_may(const char *path, DWORD rights, const char *wrong)
{
    wchar_t *wide = nacred_wide(path);
    PSECURITY_DESCRIPTOR descriptor = NULL;
    PACL list = NULL;

    if (!wide)
        return "its name is not UTF-8";
    DWORD failed =
        GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL, &descriptor);
    free(wide);
    if (failed)
        return strerror(nacred_errno_of(failed));
    if (!list_allows(list, rights))
        wrong = NULL;
    LocalFree(descriptor);
    return wrong;
}

const char *nacred_file_secret_wrong(const char *path)
{
    wchar_t *wide = nacred_wide(path);
    DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    DWORD failed = GetLastError();

    free(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return strerror(nacred_errno_of(failed));
    if (attributes & FILE_ATTRIBUTE_DIRECTORY)
        return "not a file";
    return everybody_may(path, FILE_READ_DATA | GENERIC_READ | MAY_CHANGE,
                         "every account can read or change it; take that right away (icacls), or make a new one");
}

const char *nacred_file_trust_wrong(FILE *file, const char *path)
{
    (void)file;
    return everybody_may(path, MAY_CHANGE, "every account can write it; take that right away (icacls)");
}
