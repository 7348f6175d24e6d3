/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A multicast sender as people write them: the extended work request interface, headers and payload in two pieces,
 * checksums left to the NIC, a completion now and then. The datagrams carry a number that counts up.
 *
 * Usage: sender DEVICE GROUP PORT NUMBER PAYLOAD_BYTES
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#define DEPTH 256
#define SIGNAL_EVERY 64
#define HEADERS 42
#define SLOT_BYTES 16384

static void die(const char* what) {
    perror(what);
    exit(1);
}

static struct ibv_context* open_named(const char* name) {
    struct ibv_context* context = NULL;
    struct ibv_device** list = ibv_get_device_list(NULL);
    for (int i = 0; list && list[i]; i++)
        if (!strcmp(ibv_get_device_name(list[i]), name)) context = ibv_open_device(list[i]);
    if (!context) die(name);
    ibv_free_device_list(list);
    return context;
}

static void put16(uint8_t* at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void build_headers(uint8_t* at, struct in_addr group, uint16_t port, unsigned payload) {
    const uint32_t host = ntohl(group.s_addr);
    const uint8_t ethernet[14] = {1,    0,    0x5e, host >> 16 & 0x7f, host >> 8 & 0xff, host & 0xff, 2, 0, 0, 0, 0,
                                  0x77, 0x08, 0x00};
    memcpy(at, ethernet, 14);
    memset(at + 14, 0, 28);
    at[14] = 0x45;
    put16(at + 16, 28 + payload);
    at[22] = 4;
    at[23] = 17;
    const uint8_t source[4] = {192, 0, 2, 7};
    memcpy(at + 26, source, 4);
    memcpy(at + 30, &group, 4);
    put16(at + 34, 7777);
    put16(at + 36, port);
    put16(at + 38, 8 + payload);
}

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    struct in_addr group;
    inet_pton(AF_INET, argv[2], &group);
    const unsigned long number = strtoul(argv[4], NULL, 10);
    const unsigned payload = (unsigned)atoi(argv[5]);
    struct ibv_context* context = open_named(argv[1]);
    struct ibv_device_attr_ex caps;
    if (ibv_query_device_ex(context, NULL, &caps)) die("ibv_query_device_ex");
    if (!(caps.raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM)) return fprintf(stderr, "no checksum offload\n"), 1;
    struct ibv_pd* pd = ibv_alloc_pd(context);
    struct ibv_cq_init_attr_ex cq_attr = {.cqe = DEPTH, .wc_flags = IBV_WC_STANDARD_FLAGS};
    struct ibv_cq_ex* cq = ibv_create_cq_ex(context, &cq_attr);
    struct ibv_qp_init_attr_ex init = {
        .send_cq = ibv_cq_ex_to_cq(cq),
        .recv_cq = ibv_cq_ex_to_cq(cq),
        .cap = {.max_send_wr = DEPTH, .max_send_sge = 2},
        .qp_type = IBV_QPT_RAW_PACKET,
        .comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
        .pd = pd,
        .send_ops_flags = IBV_QP_EX_WITH_SEND,
    };
    struct ibv_qp* qp = ibv_create_qp_ex(context, &init);
    if (!qp) die("ibv_create_qp_ex");
    struct ibv_qp_ex* qpx = ibv_qp_to_qp_ex(qp);
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = 1};
    if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT)) die("INIT");
    attr.qp_state = IBV_QPS_RTR;
    if (ibv_modify_qp(qp, &attr, IBV_QP_STATE)) die("RTR");
    attr.qp_state = IBV_QPS_RTS;
    if (ibv_modify_qp(qp, &attr, IBV_QP_STATE)) die("RTS");

    uint8_t* memory = aligned_alloc(4096, (size_t)DEPTH * SLOT_BYTES);
    struct ibv_mr* mr = ibv_reg_mr(pd, memory, (size_t)DEPTH * SLOT_BYTES, 0);
    if (!mr) die("ibv_reg_mr");
    unsigned long outstanding = 0;
    for (unsigned long sent = 0; sent < number || outstanding > 0;) {
        if (sent < number && outstanding + SIGNAL_EVERY <= DEPTH) {
            ibv_wr_start(qpx);
            for (int i = 0; i < SIGNAL_EVERY && sent < number; i++, sent++) {
                uint8_t* slot = memory + sent % DEPTH * SLOT_BYTES;
                const uint32_t carried = htonl((uint32_t)sent);
                build_headers(slot, group, (uint16_t)atoi(argv[3]), payload);
                memset(slot + HEADERS, 0x5a, payload);
                memcpy(slot + HEADERS, &carried, 4);
                const int last = i + 1 == SIGNAL_EVERY || sent + 1 == number;
                const struct ibv_sge pieces[2] = {{(uintptr_t)slot, HEADERS, mr->lkey},
                                                  {(uintptr_t)slot + HEADERS, payload, mr->lkey}};
                qpx->wr_id = (uint64_t)i + 1;
                qpx->wr_flags = IBV_SEND_IP_CSUM | (last ? IBV_SEND_SIGNALED : 0);
                ibv_wr_send(qpx);
                ibv_wr_set_sge_list(qpx, 2, pieces);
                outstanding++;
            }
            if (ibv_wr_complete(qpx)) die("ibv_wr_complete");
        }
        struct ibv_poll_cq_attr none = {0};
        if (ibv_start_poll(cq, &none)) continue;
        do {
            if (cq->status != IBV_WC_SUCCESS) return fprintf(stderr, "status %d\n", cq->status), 1;
            outstanding -= cq->wr_id;
        } while (!ibv_next_poll(cq));
        ibv_end_poll(cq);
    }
    printf("%lu\n", number);
    if (ibv_destroy_qp(qp) || ibv_destroy_cq(ibv_cq_ex_to_cq(cq)) || ibv_dereg_mr(mr)) die("destroy");
    if (ibv_dealloc_pd(pd) || ibv_close_device(context)) die("destroy");
    free(memory);
    return 0;
}
