/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and names of SFTP. The requests are in interop/sftp_raw.py. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sftp_files.h"
#include "sftp_path.h"
#include "windows_names.h"

struct path_case {
    char text[64];
    char made[64]; /* empty: it cannot be one */
};

ParameterizedTestParameters(nacred_sftp, paths)
{
    static struct path_case cases[] = {
        {"", "/"},
        {"/", "/"},
        {".", "/"},
        {"..", "/"},
        {"../..", "/"},
        {"/../../../etc/passwd", "/etc/passwd"},
        {"a", "/a"},
        {"a/", "/a"},
        {"//a///b//", "/a/b"},
        {"a/./b/.", "/a/b"},
        {"a/../b", "/b"},
        {"a/b/../../..", "/"},
        {"a/b/../../../c", "/c"},
        {"...", "/..."},
        {"..a", "/..a"},
        {"a..", "/a.."},
        {"\xff\xfe", "/\xff\xfe"},
    };

    return cr_make_param_array(struct path_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct path_case *c, nacred_sftp, paths)
{
    char path[SFTP_PATH_MAX];

    cr_assert(nacred_sftp_path_make((const uint8_t *)c->text, strlen(c->text), path), "%s", c->text);
    cr_assert_str_eq(path, c->made);
}

Test(nacred_sftp, a_path_has_no_nul_and_its_end)
{
    static uint8_t text[SFTP_PATH_MAX + 10];
    char path[SFTP_PATH_MAX];

    cr_assert_not(nacred_sftp_path_make((const uint8_t *)"a\0b", 3, path));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 200 == 0 ? '/' : 'a';
    cr_assert(nacred_sftp_path_make(text, SFTP_PATH_MAX - 1, path));
    cr_assert_eq(strlen(path), SFTP_PATH_MAX - 1);
    cr_assert_not(nacred_sftp_path_make(text, SFTP_PATH_MAX, path));
    memset(text, 'a', sizeof text);
    cr_assert(nacred_sftp_path_make(text, 255, path));
    cr_assert_not(nacred_sftp_path_make(text, 256, path));
}

Test(nacred_sftp, names_that_windows_takes_for_something_else)
{
    static const char *const bad[] = {"CON",  "con",    "Nul.txt", "aux.tar.gz", "COM1", "lpt9", "COM\xc2\xb9", "LPT0",
                                      "NUL ", "nul .x", "CONIN$",  "conout$",    "a:b",  "a\\b", "a/b",         "a?",
                                      "a*",   "a<",     "a>",      "a|",         "a\"",  "a.",   "a ",          "...",
                                      "\x01", "a\x1f",  "a\x7f",   "CLOCK$",     "prn"};
    static const char *const good[] = {"a",     "console", "COM", "COM10",       "nulls",
                                       "x.nul", ".a",      "a b", "COM\xc3\xa4", "a.b"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(nacred_windows_name_is_good(bad[i]), "%s", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(nacred_windows_name_is_good(good[i]), "%s", good[i]);
}

static bool is_out_of_memory;

/* In place of the C library's. */
DIR *fdopendir(int fd)
{
    DIR *(*real)(int);

    errno = ENOMEM;
    *(void **)&real = dlsym(RTLD_NEXT, "fdopendir");
    return is_out_of_memory ? NULL : real(fd);
}

Test(nacred_sftp, a_folder_that_does_not_open_is_none)
{
    struct sftp_folder *folder = NULL;

    cr_assert(nacred_sftp_files_open_root("/"));
    is_out_of_memory = true;
    cr_assert_eq(nacred_sftp_folder_open("/", &folder), SFTP_FAILURE);
    cr_assert_null(folder, "its handle would be in use");
    is_out_of_memory = false;
    cr_assert_eq(nacred_sftp_folder_open("/", &folder), SFTP_OK);
    nacred_sftp_folder_close(folder);
}

/* What went before may have left any errno, that of nothing wrong among them. */
Test(nacred_sftp, a_size_that_no_file_has_is_refused)
{
    static const struct sftp_attributes huge = {.flags = SFTP_ATTR_SIZE, .size = UINT64_C(1) << 63};
    static const struct sftp_attributes none = {0};
    struct sftp_file *file = NULL;
    char folder[] = "/tmp/nacred-sftp-XXXXXX", path[sizeof folder + 8];

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    cr_assert(nacred_sftp_files_open_root(folder));
    cr_assert_eq(nacred_sftp_file_open("/file", SFTP_OPEN_WRITE | SFTP_OPEN_CREATE, &none, &file), SFTP_OK);
    errno = 0;
    cr_expect_eq(nacred_sftp_set("/file", &huge), SFTP_FAILURE);
    errno = 0;
    cr_expect_eq(nacred_sftp_file_set(file, &huge), SFTP_FAILURE);
    nacred_sftp_file_close(file);
    cr_expect_eq(unlink(path), 0);
    cr_expect_eq(rmdir(folder), 0);
}
