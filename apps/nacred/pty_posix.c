/* SPDX-License-Identifier: Apache-2.0 */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum mode_kind {
    MODE_CHARACTER, /* c_cc[which]; 255 stands for none */
    MODE_INPUT,     /* flag of c_iflag */
    MODE_LOCAL,
    MODE_OUTPUT,
    MODE_CONTROL,
};

struct mode_row {
    uint8_t opcode;
    enum mode_kind kind;
    tcflag_t which;
};

/* RFC 4254 section 8, and RFC 8160 for IUTF8. Opcodes that Linux knows nothing of are left out: they are skipped. */
/* clang-format off */
static const struct mode_row mode_rows[] = {
    { 1, MODE_CHARACTER, VINTR},   { 2, MODE_CHARACTER, VQUIT},    { 3, MODE_CHARACTER, VERASE},
    { 4, MODE_CHARACTER, VKILL},   { 5, MODE_CHARACTER, VEOF},     { 6, MODE_CHARACTER, VEOL},
    { 7, MODE_CHARACTER, VEOL2},   { 8, MODE_CHARACTER, VSTART},   { 9, MODE_CHARACTER, VSTOP},
    {10, MODE_CHARACTER, VSUSP},   {12, MODE_CHARACTER, VREPRINT}, {13, MODE_CHARACTER, VWERASE},
    {14, MODE_CHARACTER, VLNEXT},  {16, MODE_CHARACTER, VSWTC},    {18, MODE_CHARACTER, VDISCARD},
    {30, MODE_INPUT,     IGNPAR},  {31, MODE_INPUT,     PARMRK},   {32, MODE_INPUT,     INPCK},
    {33, MODE_INPUT,     ISTRIP},  {34, MODE_INPUT,     INLCR},    {35, MODE_INPUT,     IGNCR},
    {36, MODE_INPUT,     ICRNL},   {37, MODE_INPUT,     IUCLC},    {38, MODE_INPUT,     IXON},
    {39, MODE_INPUT,     IXANY},   {40, MODE_INPUT,     IXOFF},    {41, MODE_INPUT,     IMAXBEL},
    {42, MODE_INPUT,     IUTF8},
    {50, MODE_LOCAL,     ISIG},    {51, MODE_LOCAL,     ICANON},   {52, MODE_LOCAL,     XCASE},
    {53, MODE_LOCAL,     ECHO},    {54, MODE_LOCAL,     ECHOE},    {55, MODE_LOCAL,     ECHOK},
    {56, MODE_LOCAL,     ECHONL},  {57, MODE_LOCAL,     NOFLSH},   {58, MODE_LOCAL,     TOSTOP},
    {59, MODE_LOCAL,     IEXTEN},  {60, MODE_LOCAL,     ECHOCTL},  {61, MODE_LOCAL,     ECHOKE},
    {62, MODE_LOCAL,     PENDIN},
    {70, MODE_OUTPUT,    OPOST},   {71, MODE_OUTPUT,    OLCUC},    {72, MODE_OUTPUT,    ONLCR},
    {73, MODE_OUTPUT,    OCRNL},   {74, MODE_OUTPUT,    ONOCR},    {75, MODE_OUTPUT,    ONLRET},
    {90, MODE_CONTROL,   CS7},     {91, MODE_CONTROL,   CS8},
    {92, MODE_CONTROL,   PARENB},  {93, MODE_CONTROL,   PARODD},
};
/* clang-format on */

enum {
    MODE_END = 0,
    MODE_INPUT_SPEED = 128,
    MODE_OUTPUT_SPEED = 129,
    MODE_FIRST_UNDEFINED = 160, /* from here on, arguments are not uint32 and parsing stops */
};

static void set_flag(tcflag_t *flags, tcflag_t which, bool on)
{
    *flags = on ? *flags | which : *flags & ~which;
}

/* CS7 and CS8 are values of one field, not flags. */
static void set_control(tcflag_t *flags, tcflag_t which, bool on)
{
    if (which != CS7 && which != CS8)
        set_flag(flags, which, on);
    else if (on)
        *flags = (*flags & ~(tcflag_t)CSIZE) | which;
}

static void apply_row(struct termios *modes, const struct mode_row *row, uint32_t value)
{
    switch (row->kind) {
    case MODE_CHARACTER:
        modes->c_cc[row->which] = value == 255 ? _POSIX_VDISABLE : (cc_t)value;
        return;
    case MODE_INPUT:
        set_flag(&modes->c_iflag, row->which, value != 0);
        return;
    case MODE_LOCAL:
        set_flag(&modes->c_lflag, row->which, value != 0);
        return;
    case MODE_OUTPUT:
        set_flag(&modes->c_oflag, row->which, value != 0);
        return;
    case MODE_CONTROL:
        set_control(&modes->c_cflag, row->which, value != 0);
        return;
    }
}

static speed_t speed_of(uint32_t bits_per_second)
{
    static const struct {
        uint32_t value;
        speed_t speed;
    } speeds[] = {{300, B300},     {1200, B1200},   {2400, B2400},   {4800, B4800},    {9600, B9600},
                  {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}};

    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i].value == bits_per_second)
            return speeds[i].speed;
    return B38400;
}

static void apply_mode(struct termios *modes, uint8_t opcode, uint32_t value)
{
    if (opcode == MODE_INPUT_SPEED)
        cfsetispeed(modes, speed_of(value));
    if (opcode == MODE_OUTPUT_SPEED)
        cfsetospeed(modes, speed_of(value));
    for (size_t i = 0; i < sizeof mode_rows / sizeof *mode_rows; i++)
        if (mode_rows[i].opcode == opcode)
            apply_row(modes, &mode_rows[i], value);
}

/* RFC 4254 section 8: opcode and uint32 pairs up to TTY_OP_END. A list that is cut short ends where it is cut. */
static void apply_modes(int fd, const struct terminal *terminal)
{
    struct termios modes;
    const uint8_t *at = terminal->modes;
    const uint8_t *end = at + terminal->modes_len;

    if (tcgetattr(fd, &modes) != 0)
        return;
    while (end - at >= 5 && *at != MODE_END && *at < MODE_FIRST_UNDEFINED) {
        apply_mode(&modes, at[0], (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4]);
        at += 5;
    }
    tcsetattr(fd, TCSANOW, &modes);
}

static unsigned short clamp(uint32_t value)
{
    return value > UINT16_MAX ? UINT16_MAX : (unsigned short)value;
}

static void set_size(int fd, const struct terminal *terminal)
{
    struct winsize size = {
        .ws_row = clamp(terminal->rows),
        .ws_col = clamp(terminal->columns),
        .ws_xpixel = clamp(terminal->x_pixels),
        .ws_ypixel = clamp(terminal->y_pixels),
    };

    /* A terminal that is gone has no size to set. */
    ioctl(fd, TIOCSWINSZ, &size);
}

bool nacred_pty_open(struct pty *pty, const struct terminal *terminal)
{
    *pty = (struct pty){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), .slave = -1};
    if (pty->master < 0)
        return false;
    if (grantpt(pty->master) != 0 || unlockpt(pty->master) != 0 ||
        ptsname_r(pty->master, pty->path, sizeof pty->path) != 0)
        goto out;
    /* Kept open until the child has its own: a terminal that nobody has open reads as hung up. */
    do
        pty->slave = open(pty->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    while (pty->slave < 0 && errno == EINTR);
    if (pty->slave < 0)
        goto out;
    apply_modes(pty->slave, terminal);
    set_size(pty->slave, terminal);
    return true;

out:
    close(pty->master);
    pty->master = -1;
    return false;
}

bool nacred_pty_is_there(void)
{
    return true;
}

void nacred_pty_close(struct pty *pty)
{
    int failed = errno;

    close(pty->slave);
    close(pty->master);
    errno = failed;
}

void nacred_pty_set_size(struct watch *master, const struct terminal *terminal)
{
    set_size(master->fd, terminal);
}

bool nacred_pty_type_end(struct watch *master)
{
    struct termios modes;

    if (tcgetattr(master->fd, &modes) != 0)
        return true;
    ssize_t n;
    do
        n = write(master->fd, &modes.c_cc[VEOF], 1);
    while (n < 0 && errno == EINTR);
    return n > 0;
}
