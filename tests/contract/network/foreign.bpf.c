/* Stands for what another has attached to a cgroup, as Cilium its load balancer for sockets: it counts what it sees, and
 * refuses a port that it is told. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CONNECT 0
#define PACKET 1

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} foreign_seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u32);
} foreign_refused SEC(".maps");

static __always_inline int passes(__u32 what, __be16 port) {
  __u64 *seen = bpf_map_lookup_elem(&foreign_seen, &what);
  if (seen)
    __sync_fetch_and_add(seen, 1);
  __u32 *refused = bpf_map_lookup_elem(&foreign_refused, &what);
  return !refused || *refused != bpf_ntohs(port);
}

SEC("cgroup/connect4")
int foreign_connect4(struct bpf_sock_addr *context) { return passes(CONNECT, context->user_port); }

SEC("cgroup_skb/egress")
int foreign_egress(struct __sk_buff *skb) {
  __be16 port = 0;
  /* An IPv4 header without options, and the port that follows. */
  bpf_skb_load_bytes(skb, 22, &port, sizeof(port));
  return passes(PACKET, port);
}

char LICENSE[] SEC("license") = "GPL";
