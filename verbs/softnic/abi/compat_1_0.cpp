// SPDX-License-Identifier: BSD-3-Clause
// The names in the form they had before 2007, when the structures were others. They are there to be bound; a program
// that calls one is told that there is no such thing. Versions are given here and not in the map, since the names have
// a newer version too.
#include <cerrno>
#include <cstdint>

#define SOFTNIC_COMPAT_AT(name, version)                                                                               \
    extern "C" __attribute__((visibility("default"))) std::intptr_t name##_compat_1_0() {                              \
        errno = ENOSYS;                                                                                                \
        return 0;                                                                                                      \
    }                                                                                                                  \
    __asm__(".symver " #name "_compat_1_0," #name "@" version)
#define SOFTNIC_ABSENT_HANDLE(name) SOFTNIC_COMPAT_AT(name, "IBVERBS_1.0")

#define SOFTNIC_ABSENT_CALL(name)                                                                                      \
    extern "C" __attribute__((visibility("default"))) int name##_compat_1_0() { return ENOSYS; }                       \
    __asm__(".symver " #name "_compat_1_0," #name "@IBVERBS_1.0")

SOFTNIC_ABSENT_HANDLE(ibv_ack_async_event);
SOFTNIC_ABSENT_HANDLE(ibv_ack_cq_events);
SOFTNIC_ABSENT_HANDLE(ibv_alloc_pd);
SOFTNIC_ABSENT_CALL(ibv_attach_mcast);
SOFTNIC_ABSENT_CALL(ibv_close_device);
SOFTNIC_ABSENT_HANDLE(ibv_create_ah);
SOFTNIC_ABSENT_HANDLE(ibv_create_cq);
SOFTNIC_ABSENT_HANDLE(ibv_create_qp);
SOFTNIC_ABSENT_HANDLE(ibv_create_srq);
SOFTNIC_ABSENT_CALL(ibv_dealloc_pd);
SOFTNIC_ABSENT_CALL(ibv_dereg_mr);
SOFTNIC_ABSENT_CALL(ibv_destroy_ah);
SOFTNIC_ABSENT_CALL(ibv_destroy_cq);
SOFTNIC_ABSENT_CALL(ibv_destroy_qp);
SOFTNIC_ABSENT_CALL(ibv_destroy_srq);
SOFTNIC_ABSENT_CALL(ibv_detach_mcast);
SOFTNIC_ABSENT_HANDLE(ibv_free_device_list);
SOFTNIC_ABSENT_CALL(ibv_get_async_event);
SOFTNIC_ABSENT_CALL(ibv_get_cq_event);
SOFTNIC_ABSENT_HANDLE(ibv_get_device_guid);
SOFTNIC_ABSENT_HANDLE(ibv_get_device_list);
SOFTNIC_ABSENT_HANDLE(ibv_get_device_name);
SOFTNIC_ABSENT_CALL(ibv_modify_qp);
SOFTNIC_ABSENT_CALL(ibv_modify_srq);
SOFTNIC_ABSENT_HANDLE(ibv_open_device);
SOFTNIC_ABSENT_CALL(ibv_query_device);
SOFTNIC_ABSENT_CALL(ibv_query_gid);
SOFTNIC_ABSENT_CALL(ibv_query_pkey);
SOFTNIC_ABSENT_CALL(ibv_query_port);
SOFTNIC_ABSENT_CALL(ibv_query_qp);
SOFTNIC_ABSENT_CALL(ibv_query_srq);
SOFTNIC_ABSENT_HANDLE(ibv_reg_mr);
SOFTNIC_ABSENT_CALL(ibv_resize_cq);

// How providers announced themselves before there was a private version.
SOFTNIC_COMPAT_AT(ibv_register_driver, "IBVERBS_1.1");
