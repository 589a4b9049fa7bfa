/* SPDX-License-Identifier: Apache-2.0 */
/* See apart.h. */
#include "support/apart.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <net/route.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    DNS_HEADER = 12,
    DNS_PACKET = 512,
};

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return close(fd) == 0 && done;
}

/* ---- network --------------------------------------------------------------------------------------------------- */

/* Without privileges: a user namespace gives them, over nothing but what is new. */
static bool become_root_inside(void)
{
    char map[64];
    unsigned user = geteuid(), group = getegid();
    if (user == 0)
        return true;
    if (unshare(CLONE_NEWUSER) != 0 || !write_file("/proc/self/setgroups", "deny"))
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", user);
    if (!write_file("/proc/self/uid_map", map))
        return false;
    (void)snprintf(map, sizeof map, "0 %u 1", group);
    return write_file("/proc/self/gid_map", map);
}

bool apart_loopback(bool up)
{
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    r.ifr_flags = (short)(IFF_LOOPBACK | (up ? IFF_UP | IFF_RUNNING : 0));
    bool done = s >= 0 && ioctl(s, SIOCSIFFLAGS, &r) == 0;
    close(s);
    return done;
}

bool apart_enter(void)
{
    return become_root_inside() && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && apart_loopback(true);
}

bool apart_route_unreachable(const char *address)
{
    struct rtentry r = {.rt_flags = RTF_UP | RTF_HOST | RTF_REJECT};
    struct sockaddr_in to = {.sin_family = AF_INET};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)inet_pton(AF_INET, address, &to.sin_addr);
    memcpy(&r.rt_dst, &to, sizeof to);
    bool done = s >= 0 && ioctl(s, SIOCADDRT, &r) == 0;
    close(s);
    return done;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

static struct {
    int socket;
    atomic_bool stopping;
    pthread_t thread;
} names;

/* RFC 1035 section 4.1.1: what the first label of the question says. */
static unsigned code_for(const uint8_t *label)
{
    static const struct {
        const char *label;
        unsigned code;
    } codes[] = {{"formerr", 1}, {"servfail", 2}, {"nxdomain", 3}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (label[0] == strlen(codes[i].label) && memcmp(label + 1, codes[i].label, label[0]) == 0)
            return codes[i].code;
    return 0;
}

static size_t question_end(const uint8_t *packet, size_t len)
{
    size_t at = DNS_HEADER;
    while (at < len && packet[at] != 0)
        at += 1U + packet[at];
    return at + 5 <= len ? at + 5 : 0;
}

/* Turns the question into its answer; gives the length, or 0 for what is none. */
static size_t answer(uint8_t packet[DNS_PACKET], size_t len)
{
    /* The question's name, A, IN, one minute, 127.0.0.1 */
    static const uint8_t address[] = {0xc0, DNS_HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1};
    size_t end = len > DNS_HEADER ? question_end(packet, len) : 0;
    if (end == 0 || end + sizeof address > DNS_PACKET)
        return 0;
    bool here = memcmp(packet + DNS_HEADER, "\4here", 5) == 0 && packet[end - 3] == 1;
    packet[2] = (uint8_t)(0x84 | (packet[2] & 1));
    packet[3] = (uint8_t)(0x80 | code_for(packet + DNS_HEADER));
    memset(packet + 6, 0, DNS_HEADER - 6);
    packet[7] = here;
    if (here)
        memcpy(packet + end, address, sizeof address);
    return end + (here ? sizeof address : 0);
}

static void *answer_names(void *unused)
{
    uint8_t packet[DNS_PACKET];
    struct sockaddr_in from;
    (void)unused;
    while (!atomic_load(&names.stopping)) {
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(names.socket, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_len);
        size_t len = n > 0 ? answer(packet, (size_t)n) : 0;
        if (len != 0)
            (void)sendto(names.socket, packet, len, 0, (const struct sockaddr *)&from, from_len);
    }
    return NULL;
}

bool apart_names_begin(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
    const struct timeval patience = {.tv_usec = 50000};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (mount("none", "/etc", "tmpfs", 0, NULL) != 0 ||
        !write_file("/etc/resolv.conf", "options timeout:30\nnameserver 127.0.0.1\n") ||
        !write_file("/etc/nsswitch.conf", "hosts: files dns\n") || !write_file("/etc/hosts", ""))
        return false;
    names.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return names.socket >= 0 && bind(names.socket, (const struct sockaddr *)&at, sizeof at) == 0 &&
           setsockopt(names.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
           pthread_create(&names.thread, NULL, answer_names, NULL) == 0;
}

void apart_names_end(void)
{
    atomic_store(&names.stopping, true);
    pthread_join(names.thread, NULL);
    close(names.socket);
}

/* ---- what may be done ------------------------------------------------------------------------------------------ */

bool apart_drop_bind(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    data[0].effective &= ~(1U << CAP_NET_BIND_SERVICE);
    return syscall(SYS_capset, &header, data) == 0;
}

bool apart_refuse(long call, int first_argument, int error)
{
    struct sock_filter any[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter one[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first_argument, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof any / sizeof *any, .filter = any};
    if (first_argument >= 0)
        program = (struct sock_fprog){.len = sizeof one / sizeof *one, .filter = one};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}
