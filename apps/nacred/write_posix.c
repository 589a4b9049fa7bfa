/* SPDX-License-Identifier: Apache-2.0 */
#include "write_posix.h"

#include <errno.h>
#include <unistd.h>

bool nacred_write_all(int fd, const void *at, size_t len)
{
    const char *bytes = at;

    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}
