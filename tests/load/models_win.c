/* SPDX-License-Identifier: Apache-2.0 */
/* The three I/O models of Windows. */
#include "load/load.h"

struct criterion_test_params load_models(void)
{
    static char models[][32] = {"iocp", "wsaasyncselect", "wsapoll"};
    return cr_make_param_array(char[32], models, sizeof models / sizeof *models);
}
