/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/psx_syscall.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER
#endif
#endif

enum mg_status mg_confine_no_dumps(struct mg_error *error)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return mg_error_errno(error, "cannot forbid core dumps");
    }
#ifndef UNDER_SANITIZER /* the leak checker attaches to its own process */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return mg_error_errno(error, "cannot make the process non-dumpable");
    }
#endif
    return MG_OK;
}

/* A system call on this thread, or on all of them. */
typedef long caller(long number, long a, long b, long c);

static long call_here(long number, long a, long b, long c)
{
    return syscall(number, a, b, c, 0, 0);
}

static long call_everywhere(long number, long a, long b, long c)
{
    return psx_syscall6(number, a, b, c, 0, 0, 0);
}

static enum mg_status drop(caller *call, uint64_t keep_mask, struct mg_error *error)
{
    /* The bounding set first: shrinking it needs CAP_SETPCAP, which goes with the rest. */
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        if ((keep_mask >> cap & 1) == 0 && call(SYS_prctl, PR_CAPBSET_DROP, cap, 0) != 0 && errno != EINVAL &&
            errno != EPERM) {
            return mg_error_errno(error, "cannot drop capability %d from the bounding set", cap);
        }
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[2] = {{0}};
    if (syscall(SYS_capget, &header, held) != 0) {
        return mg_error_errno(error, "cannot read capabilities");
    }
    struct __user_cap_data_struct data[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        /* What was not held cannot be kept: a missing one shows where it is used. */
        uint32_t part = (uint32_t)(keep_mask >> (32 * i)) & held[i].permitted;
        data[i].effective = data[i].permitted = part;
    }
    if (call(SYS_capset, (long)&header, (long)data, 0) != 0) {
        return mg_error_errno(error, "cannot drop capabilities");
    }
    if (call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) != 0) {
        return mg_error_errno(error, "cannot forbid new privileges");
    }
    return MG_OK;
}

enum mg_status mg_confine_capabilities(const int *keep, size_t num_keep, struct mg_error *error)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < num_keep; i++) {
        mask |= UINT64_C(1) << keep[i];
    }
    return drop(call_everywhere, mask, error);
}

enum mg_status mg_confine_thread(struct mg_error *error)
{
    return drop(call_here, 0, error);
}

static enum mg_status add_rules(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t num_names,
                                struct mg_error *error)
{
    for (size_t i = 0; i < num_names; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number == __NR_SCMP_ERROR) {
            continue; /* a name that this library does not know yet cannot be called by it either */
        }
        int result = seccomp_rule_add(filter, action, number, 0);
        if (result != 0) {
            return mg_error_set(error, MG_INTERNAL, "seccomp rule for %s: error %d", names[i], result);
        }
    }
    return MG_OK;
}

/* load gives |filter| to the kernel for all threads, and frees it. |status| is what adding its rules gave. */
static enum mg_status load(scmp_filter_ctx filter, enum mg_status status, struct mg_error *error)
{
    if (status == MG_OK) {
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
        int result = seccomp_load(filter);
        if (result != 0) {
            status = mg_error_set(error, MG_INTERNAL, "cannot load the seccomp filter: error %d", result);
        }
    }
    seccomp_release(filter);
    return status;
}

enum mg_status mg_confine_kernel(struct mg_error *error)
{
    static const char *const refused[] = {
        "acct",
        "add_key",
        "adjtimex",
        "bpf",
        "chroot",
        "clock_adjtime",
        "clock_settime",
        "delete_module",
        "finit_module",
        "fsconfig",
        "fsmount",
        "fsopen",
        "init_module",
        "ioperm",
        "iopl",
        "kcmp",
        "kexec_load",
        "keyctl",
        "kexec_file_load",
        "mount",
        "mount_setattr",
        "move_mount",
        "name_to_handle_at",
        "open_by_handle_at",
        "open_tree",
        "perf_event_open",
        "pidfd_getfd",
        "pivot_root",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "quotactl",
        "reboot",
        "request_key",
        "setdomainname",
        "sethostname",
        "setns",
        "settimeofday",
        "swapoff",
        "swapon",
        "syslog",
        "umount2",
        "unshare",
        "userfaultfd",
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL) {
        return mg_error_set(error, MG_MEMORY, "cannot make a seccomp filter");
    }
    return load(filter, add_rules(filter, SCMP_ACT_ERRNO(EPERM), refused, MG_ARRAY_LEN(refused), error), error);
}

#ifndef UNDER_SANITIZER
/* What every program of ours goes on calling: memory, threads, time, waiting, descriptors that are open, the log. */
static const char *const common_syscalls[] = {
    "brk",          "mmap",
    "munmap",       "mremap",
    "mprotect",     "madvise",
    "futex",        "rt_sigprocmask",
    "rt_sigreturn", "rt_sigaction",
    "sigaltstack",  "restart_syscall",
    "sched_yield",  "set_robust_list",
    "rseq",         "exit",
    "exit_group",   "getrandom",
    "gettid",       "getpid",
    "geteuid",      "tgkill",
    "prctl",        "clock_gettime",
    "gettimeofday", "clock_nanosleep",
    "nanosleep",    "epoll_wait",
    "epoll_pwait",  "epoll_pwait2",
    "epoll_ctl",    "poll",
    "ppoll",        "select",
    "pselect6",     "eventfd2",
    "read",         "readv",
    "write",        "writev",
    "close",        "fstat",
    "lseek",        "fcntl",
    "accept4",      "accept",
    "getsockopt",   "setsockopt",
    "getsockname",  "getpeername",
    "recvfrom",     "recvmsg",
    "sendto",       "sendmsg",
    "shutdown",     "rt_sigtimedwait",
};

/* add_thread_rules lets clone make threads, and nothing else. What clone3 makes stands in memory, where a filter cannot
 * look: it is said not to exist, and the C library turns to clone. */
static enum mg_status add_thread_rules(scmp_filter_ctx filter, struct mg_error *error)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    return result == 0 ? MG_OK : mg_error_set(error, MG_INTERNAL, "seccomp rules for making threads: error %d", result);
}
#endif

enum mg_status mg_confine_syscalls(const struct mg_confine_calls *calls, struct mg_error *error)
{
#ifdef UNDER_SANITIZER
    (void)calls;
    (void)error;
    return MG_OK;
#else
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return mg_error_set(error, MG_MEMORY, "cannot make a seccomp filter");
    }
    enum mg_status status = add_rules(filter, SCMP_ACT_ALLOW, common_syscalls, MG_ARRAY_LEN(common_syscalls), error);
    if (status == MG_OK) {
        status = add_rules(filter, SCMP_ACT_ALLOW, calls->allowed, calls->num_allowed, error);
    }
    if (status == MG_OK) {
        status = add_rules(filter, SCMP_ACT_ERRNO(EPERM), calls->refused, calls->num_refused, error);
    }
    if (status == MG_OK && calls->makes_threads) {
        status = add_thread_rules(filter, error);
    }
    return load(filter, status, error);
#endif
}
