/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A capture tool as people write them: finds libibverbs at run time, sniffs a port, sleeps on a completion channel, and
 * writes a pcap file with the hardware's time stamps.
 *
 * Usage: capture DEVICE FILE NUMBER
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#define SLOTS 1024
#define SLOT_BYTES 10000

static struct {
    struct ibv_device** (*get_device_list)(int*);
    void (*free_device_list)(struct ibv_device**);
    const char* (*get_device_name)(struct ibv_device*);
    struct ibv_context* (*open_device)(struct ibv_device*);
    int (*close_device)(struct ibv_context*);
    struct ibv_pd* (*alloc_pd)(struct ibv_context*);
    int (*dealloc_pd)(struct ibv_pd*);
    struct ibv_mr* (*reg_mr)(struct ibv_pd*, void*, size_t, int);
    int (*dereg_mr)(struct ibv_mr*);
    struct ibv_comp_channel* (*create_comp_channel)(struct ibv_context*);
    int (*destroy_comp_channel)(struct ibv_comp_channel*);
    int (*destroy_cq)(struct ibv_cq*);
    int (*get_cq_event)(struct ibv_comp_channel*, struct ibv_cq**, void**);
    void (*ack_cq_events)(struct ibv_cq*, unsigned int);
    struct ibv_qp* (*create_qp)(struct ibv_pd*, struct ibv_qp_init_attr*);
    int (*modify_qp)(struct ibv_qp*, struct ibv_qp_attr*, int);
    int (*destroy_qp)(struct ibv_qp*);
} verbs;

static void die(const char* what) {
    perror(what);
    exit(1);
}

static void load_verbs(void) {
    void* library = dlopen("libibverbs.so.1", RTLD_NOW);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
#define LOAD(name)                                                                                                     \
    do {                                                                                                               \
        *(void**)&verbs.name = dlsym(library, "ibv_" #name);                                                           \
        if (!verbs.name) die("ibv_" #name);                                                                            \
    } while (0)
    LOAD(get_device_list);
    LOAD(free_device_list);
    LOAD(get_device_name);
    LOAD(open_device);
    LOAD(close_device);
    LOAD(alloc_pd);
    LOAD(dealloc_pd);
    LOAD(reg_mr);
    LOAD(dereg_mr);
    LOAD(create_comp_channel);
    LOAD(destroy_comp_channel);
    LOAD(destroy_cq);
    LOAD(get_cq_event);
    LOAD(ack_cq_events);
    LOAD(create_qp);
    LOAD(modify_qp);
    LOAD(destroy_qp);
}

static struct ibv_context* open_named(const char* name) {
    int number = 0;
    struct ibv_context* context = NULL;
    struct ibv_device** list = verbs.get_device_list(&number);
    if (!list) die("ibv_get_device_list");
    for (int i = 0; i < number; i++)
        if (strcmp(verbs.get_device_name(list[i]), name) == 0) context = verbs.open_device(list[i]);
    verbs.free_device_list(list);
    if (!context) die("ibv_open_device");
    return context;
}

static void post(struct ibv_qp* qp, struct ibv_mr* mr, uint64_t slot) {
    struct ibv_sge sge = {(uintptr_t)mr->addr + slot * SLOT_BYTES, SLOT_BYTES, mr->lkey};
    struct ibv_recv_wr wr = {.wr_id = slot, .sg_list = &sge, .num_sge = 1};
    struct ibv_recv_wr* bad;
    if (ibv_post_recv(qp, &wr, &bad)) die("ibv_post_recv");
}

static void modify(struct ibv_qp* qp, enum ibv_qp_state state, int mask) {
    struct ibv_qp_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.qp_state = state;
    attr.port_num = 1;
    if (verbs.modify_qp(qp, &attr, IBV_QP_STATE | mask)) die("ibv_modify_qp");
}

static void write_packet(FILE* out, const void* frame, uint32_t bytes, uint64_t ns) {
    uint32_t header[4] = {(uint32_t)(ns / 1000000000u), (uint32_t)(ns % 1000000000u), bytes, bytes};
    fwrite(header, sizeof header, 1, out);
    fwrite(frame, bytes, 1, out);
}

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    unsigned long wanted = strtoul(argv[3], NULL, 10), captured = 0;
    FILE* out = fopen(argv[2], "wb");
    if (!out) die(argv[2]);
    const uint32_t file_header[6] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 1}; /* nanoseconds, Ethernet */
    fwrite(file_header, sizeof file_header, 1, out);

    load_verbs();
    struct ibv_context* context = open_named(argv[1]);
    struct ibv_pd* pd = verbs.alloc_pd(context);
    void* memory = aligned_alloc(4096, (size_t)SLOTS * SLOT_BYTES / 4096 * 4096 + 4096);
    struct ibv_mr* mr = verbs.reg_mr(pd, memory, (size_t)SLOTS * SLOT_BYTES, IBV_ACCESS_LOCAL_WRITE);
    if (!mr) die("ibv_reg_mr");
    struct ibv_comp_channel* channel = verbs.create_comp_channel(context);
    struct ibv_cq_init_attr_ex cq_attr = {
        .cqe = SLOTS,
        .channel = channel,
        .wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK,
    };
    struct ibv_cq_ex* cq_ex = ibv_create_cq_ex(context, &cq_attr);
    if (!cq_ex) die("ibv_create_cq_ex");
    struct ibv_cq* cq = ibv_cq_ex_to_cq(cq_ex);
    struct ibv_qp_init_attr qp_attr = {
        .send_cq = cq,
        .recv_cq = cq,
        .cap = {.max_recv_wr = SLOTS, .max_recv_sge = 1},
        .qp_type = IBV_QPT_RAW_PACKET,
    };
    struct ibv_qp* qp = verbs.create_qp(pd, &qp_attr);
    if (!qp) die("ibv_create_qp");
    modify(qp, IBV_QPS_INIT, IBV_QP_PORT);
    for (uint64_t slot = 0; slot < SLOTS; slot++) post(qp, mr, slot);
    modify(qp, IBV_QPS_RTR, 0);
    struct ibv_flow_attr flow_attr = {.type = IBV_FLOW_ATTR_SNIFFER, .size = sizeof flow_attr, .port = 1};
    struct ibv_flow* flow = ibv_create_flow(qp, &flow_attr);
    if (!flow) die("ibv_create_flow");
    fcntl(channel->fd, F_SETFL, fcntl(channel->fd, F_GETFL) | O_NONBLOCK);
    if (ibv_req_notify_cq(cq, 0)) die("ibv_req_notify_cq");
    printf("ready\n");
    fflush(stdout);

    unsigned int events = 0;
    while (captured < wanted) {
        struct pollfd watched = {.fd = channel->fd, .events = POLLIN};
        if (poll(&watched, 1, 10000) != 1) break;
        struct ibv_cq* which;
        void* user;
        if (verbs.get_cq_event(channel, &which, &user)) die("ibv_get_cq_event");
        events++;
        if (ibv_req_notify_cq(cq, 0)) die("ibv_req_notify_cq");
        struct ibv_poll_cq_attr poll_attr = {0};
        int ret = ibv_start_poll(cq_ex, &poll_attr);
        if (ret == ENOENT) continue;
        do {
            if (cq_ex->status != IBV_WC_SUCCESS) {
                fprintf(stderr, "completion status %d\n", cq_ex->status);
                return 1;
            }
            write_packet(out, (char*)memory + cq_ex->wr_id * SLOT_BYTES, ibv_wc_read_byte_len(cq_ex),
                         ibv_wc_read_completion_wallclock_ns(cq_ex));
            captured++;
            post(qp, mr, cq_ex->wr_id);
            ret = ibv_next_poll(cq_ex);
        } while (ret == 0);
        ibv_end_poll(cq_ex);
    }
    verbs.ack_cq_events(cq, events);
    fclose(out);
    printf("%lu\n", captured);
    if (ibv_destroy_flow(flow) || verbs.destroy_qp(qp) || verbs.destroy_cq(cq)) die("destroy");
    if (verbs.destroy_comp_channel(channel) || verbs.dereg_mr(mr) || verbs.dealloc_pd(pd)) die("destroy");
    if (verbs.close_device(context)) die("ibv_close_device");
    free(memory);
    return captured == wanted ? 0 : 1;
}
