// SPDX-License-Identifier: BSD-3-Clause
// What libibverbs exports for its providers. Provider libraries that a program links are bound when it is loaded, so
// the names have to be there; no provider of another device has anything to do here.
#include "abi.hpp"

#define SOFTNIC_ABSENT(name)                                                                                           \
    SOFTNIC_EXPORT int name() { return EOPNOTSUPP; }

SOFTNIC_ABSENT(execute_ioctl)
SOFTNIC_ABSENT(ibv_cmd_advise_mr)
SOFTNIC_ABSENT(ibv_cmd_alloc_dm)
SOFTNIC_ABSENT(ibv_cmd_alloc_mw)
SOFTNIC_ABSENT(ibv_cmd_alloc_pd)
SOFTNIC_ABSENT(ibv_cmd_attach_mcast)
SOFTNIC_ABSENT(ibv_cmd_close_xrcd)
SOFTNIC_ABSENT(ibv_cmd_create_ah)
SOFTNIC_ABSENT(ibv_cmd_create_counters)
SOFTNIC_ABSENT(ibv_cmd_create_cq)
SOFTNIC_ABSENT(ibv_cmd_create_cq_ex)
SOFTNIC_ABSENT(ibv_cmd_create_flow)
SOFTNIC_ABSENT(ibv_cmd_create_flow_action_esp)
SOFTNIC_ABSENT(ibv_cmd_create_qp)
SOFTNIC_ABSENT(ibv_cmd_create_qp_ex)
SOFTNIC_ABSENT(ibv_cmd_create_qp_ex2)
SOFTNIC_ABSENT(ibv_cmd_create_rwq_ind_table)
SOFTNIC_ABSENT(ibv_cmd_create_srq)
SOFTNIC_ABSENT(ibv_cmd_create_srq_ex)
SOFTNIC_ABSENT(ibv_cmd_create_wq)
SOFTNIC_ABSENT(ibv_cmd_dealloc_mw)
SOFTNIC_ABSENT(ibv_cmd_dealloc_pd)
SOFTNIC_ABSENT(ibv_cmd_dereg_mr)
SOFTNIC_ABSENT(ibv_cmd_destroy_ah)
SOFTNIC_ABSENT(ibv_cmd_destroy_counters)
SOFTNIC_ABSENT(ibv_cmd_destroy_cq)
SOFTNIC_ABSENT(ibv_cmd_destroy_flow)
SOFTNIC_ABSENT(ibv_cmd_destroy_flow_action)
SOFTNIC_ABSENT(ibv_cmd_destroy_qp)
SOFTNIC_ABSENT(ibv_cmd_destroy_rwq_ind_table)
SOFTNIC_ABSENT(ibv_cmd_destroy_srq)
SOFTNIC_ABSENT(ibv_cmd_destroy_wq)
SOFTNIC_ABSENT(ibv_cmd_detach_mcast)
SOFTNIC_ABSENT(ibv_cmd_free_dm)
SOFTNIC_ABSENT(ibv_cmd_get_context)
SOFTNIC_ABSENT(ibv_cmd_modify_cq)
SOFTNIC_ABSENT(ibv_cmd_modify_flow_action_esp)
SOFTNIC_ABSENT(ibv_cmd_modify_qp)
SOFTNIC_ABSENT(ibv_cmd_modify_qp_ex)
SOFTNIC_ABSENT(ibv_cmd_modify_srq)
SOFTNIC_ABSENT(ibv_cmd_modify_wq)
SOFTNIC_ABSENT(ibv_cmd_open_qp)
SOFTNIC_ABSENT(ibv_cmd_open_xrcd)
SOFTNIC_ABSENT(ibv_cmd_poll_cq)
SOFTNIC_ABSENT(ibv_cmd_post_recv)
SOFTNIC_ABSENT(ibv_cmd_post_send)
SOFTNIC_ABSENT(ibv_cmd_post_srq_recv)
SOFTNIC_ABSENT(ibv_cmd_query_context)
SOFTNIC_ABSENT(ibv_cmd_query_device_any)
SOFTNIC_ABSENT(ibv_cmd_query_mr)
SOFTNIC_ABSENT(ibv_cmd_query_port)
SOFTNIC_ABSENT(ibv_cmd_query_qp)
SOFTNIC_ABSENT(ibv_cmd_query_srq)
SOFTNIC_ABSENT(ibv_cmd_read_counters)
SOFTNIC_ABSENT(ibv_cmd_reg_dm_mr)
SOFTNIC_ABSENT(ibv_cmd_reg_dmabuf_mr)
SOFTNIC_ABSENT(ibv_cmd_reg_mr)
SOFTNIC_ABSENT(ibv_cmd_req_notify_cq)
SOFTNIC_ABSENT(ibv_cmd_rereg_mr)
SOFTNIC_ABSENT(ibv_cmd_resize_cq)

SOFTNIC_EXPORT bool verbs_allow_disassociate_destroy;
bool verbs_allow_disassociate_destroy = false;

// A provider announces itself when it is loaded, and is not asked for its devices.
SOFTNIC_EXPORT void verbs_register_driver_34(const void*) {}

SOFTNIC_EXPORT void __verbs_log(verbs_context*, std::uint32_t, const char*, ...) {}
SOFTNIC_EXPORT unsigned __ioctl_final_num_attrs(unsigned attributes, void*) { return attributes; }
SOFTNIC_EXPORT void verbs_init_cq(ibv_cq*, ibv_context*, ibv_comp_channel*, void*) {}
SOFTNIC_EXPORT void verbs_set_ops(verbs_context*, const void*) {}
SOFTNIC_EXPORT void verbs_uninit_context(verbs_context*) {}
SOFTNIC_EXPORT int ibv_read_ibdev_sysfs_file(char*, std::size_t, void*, const char*, ...) { return -1; }
SOFTNIC_EXPORT void* _verbs_init_and_alloc_context(ibv_device*, int, std::size_t, verbs_context*, std::uint32_t) {
    errno = EOPNOTSUPP;
    return nullptr;
}
SOFTNIC_EXPORT ibv_context* verbs_open_device(ibv_device*, void*) {
    errno = EOPNOTSUPP;
    return nullptr;
}
