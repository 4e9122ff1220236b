/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-frames: for bench/lab_forward.py, as many frames as one processor can send out of an interface. The
 * kernel makes them itself, by a small XDP program run on frames of its own (BPF_F_TEST_XDP_LIVE_FRAMES), which costs a
 * fifth of sending each through a packet socket: a forwarder on another processor can be kept busy. pktgen would do,
 * but many kernels are built without it.
 *
 * A frame is Ethernet, IPv4 and what follows. Of each the program writes the source port, by which there are so many
 * flows, and the length. Checksums are left as they are: nobody on the way may look at them.
 */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/options.h"

#define NUM_SIZES 16 /* a power of two: frames in turn have these */
#define MIN_FRAME 64
#define MAX_FRAME 1514
#define MAX_FLOWS 32768
#define BATCH 64

#define IP_AT 14
#define IP_LEN_AT (IP_AT + 2)
#define PROTOCOL_AT (IP_AT + 9)
#define PORT_AT (IP_AT + 20)
#define UDP_LEN_AT (PORT_AT + 4)
#define HEADERS_LEN (IP_AT + 20 + 20)
#define PROTOCOL_UDP 17

struct options {
    const char *interface;
    unsigned milliseconds;
    unsigned first_port;
    unsigned num_flows;
    uint32_t sizes[NUM_SIZES];
    uint8_t headers[HEADERS_LEN];
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-frames: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- options ---- */

static const char usage[] =
    "usage: mintgate-bench-frames --interface NAME --headers HEX --sizes N[,N...]\n"
    "         [--first-port N] [--flows N] [--milliseconds N]\n"
    "A helper of bench/lab_forward.py: sends frames as fast as it can. HEX: a frame's first 54 bytes, from Ethernet "
    "on;\n"
    "sizes of frames in turn, 64 to 1514 bytes; flows: a power of two. Until the time is up or SIGTERM; then prints "
    "how many frames, and\n"
    "nanoseconds.\n";

static bool read_number(unsigned *out, const char *text, unsigned min, unsigned max)
{
    if (text == NULL) {
        return true; /* as it is */
    }
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *out = (unsigned)value;
    return *text != '\0' && *end == '\0' && value >= min && value <= max;
}

static bool read_headers(uint8_t out[HEADERS_LEN], const char *hex)
{
    bool good = hex != NULL && strlen(hex) == 2 * (size_t)HEADERS_LEN;
    for (size_t i = 0; good && i < HEADERS_LEN; i++) {
        good = sscanf(hex + 2 * i, "%2hhx", &out[i]) == 1;
    }
    return good;
}

/* read_sizes fills all places, beginning again where the list ends. */
static bool read_sizes(uint32_t out[NUM_SIZES], const char *list)
{
    unsigned num = 0;
    char *copy = list == NULL ? NULL : strdup(list);
    bool good = copy != NULL;
    for (char *rest = copy, *word; good && (word = strsep(&rest, ",")) != NULL;) {
        good = num < NUM_SIZES && read_number(&out[num++], word, MIN_FRAME, MAX_FRAME);
    }
    for (unsigned i = num; good && i < NUM_SIZES; i++) {
        out[i] = out[i - num];
    }
    free(copy);
    return good;
}

/* read_options returns -1, or the program's exit status. */
static int read_options(struct options *out, int argc, char **argv)
{
    const char *headers = NULL, *sizes = NULL, *first_port = NULL, *num_flows = NULL, *milliseconds = NULL;
    const struct mg_option known[] = {
        {.name = "interface", .text = &out->interface},
        {.name = "headers", .text = &headers},
        {.name = "sizes", .text = &sizes},
        {.name = "first-port", .text = &first_port},
        {.name = "flows", .text = &num_flows},
        {.name = "milliseconds", .text = &milliseconds},
    };
    const struct mg_program program = {
        .name = "mintgate-bench-frames", .usage = usage, .options = known, .num_options = MG_ARRAY_LEN(known)};
    *out = (struct options){.milliseconds = 1000, .first_port = 10000, .num_flows = 1};
    int status = mg_options_parse(&program, argc, argv);
    if (status >= 0) {
        return status;
    }
    bool good = out->interface != NULL && read_headers(out->headers, headers) && read_sizes(out->sizes, sizes) &&
                read_number(&out->first_port, first_port, 1, UINT16_MAX) &&
                read_number(&out->num_flows, num_flows, 1, MAX_FLOWS) &&
                read_number(&out->milliseconds, milliseconds, 1, 600000) &&
                (out->num_flows & (out->num_flows - 1)) == 0 && out->first_port + out->num_flows <= UINT16_MAX + 1U;
    return good ? -1 : mg_options_wrong(&program, "an option is missing or makes no sense");
}

/* ---- the program ---- */

/* What it reads and writes: the sizes, and behind them how many frames there were. */
struct shared {
    uint32_t sizes[NUM_SIZES];
    uint64_t num_frames;
};

static int make_map(const struct options *options)
{
    struct shared shared = {.num_frames = 0};
    const uint32_t key = 0;
    memcpy(shared.sizes, options->sizes, sizeof(shared.sizes));
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "frames", sizeof(key), sizeof(shared), 1, NULL);
    if (map < 0 || bpf_map_update_elem(map, &key, &shared, BPF_ANY) != 0) {
        die("no BPF map");
    }
    return map;
}

static uint64_t frames_so_far(int map)
{
    const uint32_t key = 0;
    struct shared shared;
    if (bpf_map_lookup_elem(map, &key, &shared) != 0) {
        die("BPF map");
    }
    return shared.num_frames;
}

/* Instructions, as in the kernel's samples, whose macros are not among its headers for programs. */
#define INSN(op, dst, src, offset, value)                                                                              \
    ((struct bpf_insn){.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (int32_t)(value)})
#define MOVE(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOVE_NUMBER(dst, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define DO(op, dst, src) INSN(BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)
#define DO_NUMBER(op, dst, value) INSN(BPF_ALU64 | (op) | BPF_K, dst, 0, 0, value)
#define TO_NETWORK_16(dst) INSN(BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, 16)
#define LOAD(size, dst, src, offset) INSN(BPF_LDX | BPF_MEM | (size), dst, src, offset, 0)
#define STORE(size, dst, src, offset) INSN(BPF_STX | BPF_MEM | (size), dst, src, offset, 0)
#define STORE_NUMBER(size, dst, value, offset) INSN(BPF_ST | BPF_MEM | (size), dst, 0, offset, value)
#define CALL(function) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define SKIP_IF_NOT_NULL(reg) INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 2, 0)
#define SKIP_UNLESS_ABOVE(a, b) INSN(BPF_JMP | BPF_JLE | BPF_X, a, b, 2, 0)
#define LEAVE_WITH(value) MOVE_NUMBER(0, value), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* load_program: each frame becomes as long as its place in |sizes| says, gets the next flow's source port, and goes out
 * of the interface. r6: the context; r7: struct shared; r8: the frame's number; r9: its length. */
static int load_program(const struct options *options, int map, unsigned interface)
{
    const struct bpf_insn program[] = {
        MOVE(6, 1),
        STORE_NUMBER(BPF_W, 10, 0, -4),
        MOVE(2, 10),
        DO_NUMBER(BPF_ADD, 2, -4),
        INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
        INSN(0, 0, 0, 0, 0),
        CALL(BPF_FUNC_map_lookup_elem),
        SKIP_IF_NOT_NULL(0),
        LEAVE_WITH(XDP_DROP),
        MOVE(7, 0),
        LOAD(BPF_DW, 8, 7, offsetof(struct shared, num_frames)),
        MOVE(1, 8),
        DO_NUMBER(BPF_ADD, 1, 1),
        STORE(BPF_DW, 7, 1, offsetof(struct shared, num_frames)),
        /* the length, counted from that of the whole frame */
        MOVE(1, 8),
        DO_NUMBER(BPF_AND, 1, NUM_SIZES - 1),
        DO_NUMBER(BPF_LSH, 1, 2),
        DO(BPF_ADD, 7, 1),
        LOAD(BPF_W, 9, 7, 0),
        MOVE(1, 6),
        MOVE(2, 9),
        DO_NUMBER(BPF_SUB, 2, MAX_FRAME),
        CALL(BPF_FUNC_xdp_adjust_tail),
        LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, data)),
        LOAD(BPF_W, 3, 6, offsetof(struct xdp_md, data_end)),
        MOVE(4, 2),
        DO_NUMBER(BPF_ADD, 4, HEADERS_LEN),
        SKIP_UNLESS_ABOVE(4, 3),
        LEAVE_WITH(XDP_DROP),
        DO_NUMBER(BPF_SUB, 9, IP_AT),
        MOVE(1, 9),
        TO_NETWORK_16(1),
        STORE(BPF_H, 2, 1, IP_LEN_AT),
        DO_NUMBER(BPF_AND, 8, options->num_flows - 1),
        DO_NUMBER(BPF_ADD, 8, options->first_port),
        TO_NETWORK_16(8),
        STORE(BPF_H, 2, 8, PORT_AT),
        /* the UDP length; of TCP, whose sequence number stands there, the frame's own bytes again */
        LOAD(BPF_H, 1, 2, UDP_LEN_AT),
        DO_NUMBER(BPF_SUB, 9, PORT_AT - IP_AT),
        TO_NETWORK_16(9),
        STORE(BPF_H, 2, options->headers[PROTOCOL_AT] == PROTOCOL_UDP ? 9 : 1, UDP_LEN_AT),
        MOVE_NUMBER(1, interface),
        MOVE_NUMBER(2, 0),
        CALL(BPF_FUNC_redirect),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "frames", "Dual BSD/GPL", program, MG_ARRAY_LEN(program), NULL);
    if (fd < 0) {
        die("the kernel refuses the BPF program");
    }
    return fd;
}

/* ---- running it ---- */

static void ring(int signal)
{
    (void)signal; /* it ends the system call */
}

static void set_alarm(unsigned milliseconds)
{
    const struct sigaction action = {.sa_handler = ring};
    const struct itimerval alarm = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = (suseconds_t)(milliseconds % 1000) * 1000},
        .it_interval = {.tv_usec = 1000}, /* should the first come before the call */
    };
    if (sigaction(SIGALRM, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
        setitimer(ITIMER_REAL, &alarm, NULL) != 0) {
        die("no alarm");
    }
}

/* run sends frames until the alarm, or until it is to end. It is one call for the whole time: to begin one takes the
 * kernel milliseconds. */
static void run(const struct options *options, int program)
{
    uint8_t frame[MAX_FRAME] = {0};
    memcpy(frame, options->headers, HEADERS_LEN);
    struct bpf_test_run_opts settings = {.sz = sizeof(settings),
                                         .data_in = frame,
                                         .data_size_in = sizeof(frame),
                                         .repeat = INT32_MAX,
                                         .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                                         .batch_size = BATCH};
    set_alarm(options->milliseconds);
    if (bpf_prog_test_run_opts(program, &settings) != 0 && errno != EINTR) {
        die("the kernel does not run the BPF program");
    }
}

int main(int argc, char **argv)
{
    struct options options;
    int status = read_options(&options, argc, argv);
    if (status >= 0) {
        return status;
    }
    unsigned interface = if_nametoindex(options.interface);
    if (interface == 0) {
        die(options.interface);
    }
    int map = make_map(&options), program = load_program(&options, map, interface);
    uint64_t begin_ns = mg_clock_monotonic_ns();
    run(&options, program);
    uint64_t end_ns = mg_clock_monotonic_ns();
    printf("%llu %llu\n", (unsigned long long)frames_so_far(map), (unsigned long long)(end_ns - begin_ns));
    return 0;
}
