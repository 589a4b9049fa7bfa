/* SPDX-License-Identifier: Apache-2.0 */
/* The back ends of Linux. */
#include "load/load.h"

struct criterion_test_params load_models(void)
{
    static char models[][32] = {"epoll", "io_uring"};
    return cr_make_param_array(char[32], models, sizeof models / sizeof *models);
}
