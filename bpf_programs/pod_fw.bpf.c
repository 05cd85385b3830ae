/* The firewall of a pod.
 *
 * Hooks:  cgroup_skb/ingress and egress enforce; cgroup/connect4, connect6, sendmsg4 and sendmsg6 answer EPERM at once
 *         where a packet would only be lost. All are attached to the pod's cgroup, with BPF_F_ALLOW_MULTI.
 * Maps:   those of maps.h.
 * Units:  bytes from the IP header on; nanoseconds of the monotonic clock.
 * Limits: 6 IPv6 extension headers; TCP, UDP and ICMP have rules, any other protocol passes open directions alone.
 *         A fragment without ports has been put together before it gets here; one that was not is dropped.
 */
#include "dns.h"
#include "judge.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#define EPERM_NOW 0
#define GO_ON 1
#define DROP 0
#define PASS 1
#define DROP_AND_SLOW_DOWN 2

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define EXTENSIONS 6
#define IP_FRAGMENT 0x1fff
#define IP_MORE 0x2000

#define ICMP_REPLY 0
#define ICMP_ECHO 8
#define ICMP6_ECHO 128
#define ICMP6_REPLY 129
/* Neighbours, routers and multicast listeners: without them there is no IPv6. */
#define ICMP6_FIRST_LOCAL 130
#define ICMP6_LAST_LOCAL 143

/* The agent's promise to a pod that waits for it: attached, when a connection to this port fails with EPERM. */
#define ATTACHED_PORT 1

#define TCP_IDLE (6ULL * 3600 * SECOND)
#define TCP_CLOSING (60 * SECOND)
#define UDP_IDLE (180 * SECOND)
#define ICMP_IDLE (30 * SECOND)

enum kind { KIND_FLOW, KIND_OTHER, KIND_ERROR, KIND_LOCAL, KIND_BROKEN };

struct packet {
  struct address source, destination;
  __be16 source_port, destination_port;
  __u32 payload; /* offset of what follows the transport header */
  __u8 protocol;
  __u8 kind;
  __u8 begins; /* a packet that only the one who opens a connection sends */
  __u8 ends;
};

static __always_inline int load(struct __sk_buff *skb, __u32 offset, void *to, __u32 size) {
  return bpf_skb_load_bytes(skb, offset, to, size);
}

/* The address, protocol and transport offset of an IP header; 0 where it is none that can be judged. */
static __always_inline int read_ip(struct __sk_buff *skb, __u32 offset, __u8 version, struct packet *packet, __u32 *transport) {
  if (version == 4) {
    struct iphdr header;
    if (load(skb, offset, &header, sizeof(header)) || header.ihl < 5)
      return 0;
    from_ipv4(&packet->source, header.saddr);
    from_ipv4(&packet->destination, header.daddr);
    packet->protocol = header.protocol;
    *transport = offset + header.ihl * 4;
    return (header.frag_off & bpf_htons(IP_FRAGMENT)) == 0;
  }
  struct ipv6hdr header;
  if (version != 6 || load(skb, offset, &header, sizeof(header)))
    return 0;
  __builtin_memcpy(&packet->source, &header.saddr, 16);
  __builtin_memcpy(&packet->destination, &header.daddr, 16);
  __u8 next = header.nexthdr;
  offset += sizeof(header);
  for (int i = 0; i < EXTENSIONS; i++) {
    if (next == IPPROTO_FRAGMENT) {
      __u8 fragment[8];
      if (load(skb, offset, fragment, sizeof(fragment)) || fragment[2] || fragment[3] & 0xf8)
        return 0;
      next = fragment[0];
      offset += 8;
    } else if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
      __u8 extension[2];
      if (load(skb, offset, extension, sizeof(extension)))
        return 0;
      next = extension[0];
      offset += (extension[1] + 1) * 8;
    } else {
      packet->protocol = next;
      *transport = offset;
      return 1;
    }
  }
  return 0;
}

static __always_inline void read_ports(struct __sk_buff *skb, __u32 offset, struct packet *packet) {
  __be16 both[2];
  if (load(skb, offset, both, sizeof(both))) {
    packet->kind = KIND_BROKEN;
    return;
  }
  packet->source_port = both[0];
  packet->destination_port = both[1];
}

static __always_inline void read_icmp(struct __sk_buff *skb, __u32 offset, struct packet *packet, int inner) {
  __u8 header[8];
  if (load(skb, offset, header, sizeof(header))) {
    packet->kind = KIND_BROKEN;
    return;
  }
  __u8 type = header[0], six = packet->protocol == IPPROTO_ICMPV6;
  __u8 request = six ? ICMP6_ECHO : ICMP_ECHO, reply = six ? ICMP6_REPLY : ICMP_REPLY;
  if (type == request || type == reply) {
    __be16 id;
    __builtin_memcpy(&id, header + 4, 2);
    packet->source_port = packet->destination_port = id;
    packet->begins = type == request;
  } else if (six && type >= ICMP6_FIRST_LOCAL && type <= ICMP6_LAST_LOCAL) {
    packet->kind = KIND_LOCAL;
  } else if (!inner && (six ? type <= 4 : type == 3 || type == 11 || type == 12)) {
    packet->kind = KIND_ERROR;
    packet->payload = offset + 8;
  } else {
    packet->kind = KIND_OTHER;
  }
}

static __always_inline void read_transport(struct __sk_buff *skb, __u32 offset, struct packet *packet, int inner) {
  packet->kind = KIND_FLOW;
  if (packet->protocol == IPPROTO_TCP) {
    read_ports(skb, offset, packet);
    __u8 flags[2];
    if (inner)
      return;
    if (load(skb, offset + 12, flags, sizeof(flags))) {
      packet->kind = KIND_BROKEN;
      return;
    }
    packet->payload = offset + (flags[0] >> 4) * 4;
    packet->begins = (flags[1] & 0x12) == 0x02; /* SYN without ACK */
    packet->ends = (flags[1] & 0x05) != 0;      /* FIN or RST */
  } else if (packet->protocol == IPPROTO_UDP) {
    read_ports(skb, offset, packet);
    packet->payload = offset + 8;
    packet->begins = 1;
  } else if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
    read_icmp(skb, offset, packet, inner);
  } else {
    packet->kind = KIND_OTHER;
  }
}

static __always_inline int known(__u8 protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static __always_inline int stale(const struct flow *flow, __u8 protocol, __u64 now) {
  __u64 idle = flow->closing ? TCP_CLOSING : protocol == IPPROTO_TCP ? TCP_IDLE : protocol == IPPROTO_UDP ? UDP_IDLE : ICMP_IDLE;
  return flow->seen + idle < now;
}

static __always_inline struct flow_key key_of(__u32 pod, const struct packet *packet, __u8 direction) {
  struct flow_key key = {.pod = pod, .protocol = packet->protocol};
  int leaves = direction == DIRECTION_OUT;
  key.remote = leaves ? packet->destination : packet->source;
  key.local_port = leaves ? packet->source_port : packet->destination_port;
  key.remote_port = leaves ? packet->destination_port : packet->source_port;
  return key;
}

static __always_inline struct wanted wanted_of(__u32 policy, const struct flow_key *key, __u8 direction) {
  struct wanted wanted = {.policy = policy, .direction = direction, .remote = key->remote, .protocol = key->protocol};
  if (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP)
    wanted.port = direction == DIRECTION_OUT ? key->remote_port : key->local_port;
  return wanted;
}

/* An error about a flow of this pod: it quotes the packet that this pod has sent. */
__attribute__((noinline)) int is_about_a_flow(struct __sk_buff *skb, __u32 pod, __u32 offset, __u32 version) {
  struct packet quoted = {};
  __u32 transport = 0;
  if (!read_ip(skb, offset, version, &quoted, &transport))
    return 0;
  read_transport(skb, transport, &quoted, 1);
  struct flow_key key = key_of(pod, &quoted, DIRECTION_OUT);
  return quoted.kind == KIND_FLOW && bpf_map_lookup_elem(&flows, &key) != 0;
}

/* Whether as many bytes may leave now: a bucket that holds `burst` and fills with `rate`. */
static __always_inline int within_rate(struct pod *pod, const struct policy *policy, __u32 bytes, __u64 now) {
  int within = 0;
  __u64 rate = policy->rate, burst = policy->burst;
  bpf_spin_lock(&pod->lock);
  __u64 elapsed = now - pod->filled;
  if (elapsed > SECOND)
    elapsed = SECOND;
  __u64 tokens = pod->tokens + rate * elapsed / SECOND;
  if (tokens > burst)
    tokens = burst;
  if (tokens >= bytes) {
    tokens -= bytes;
    within = 1;
  }
  pod->tokens = tokens;
  pod->filled = now;
  bpf_spin_unlock(&pod->lock);
  return within;
}

static __always_inline int filter(struct __sk_buff *skb, __u8 direction) {
  struct pod *pod = bpf_get_local_storage(&pods, 0);
  __u32 id = pod->policy, number = pod->number;
  struct policy *policy = bpf_map_lookup_elem(&policies, &id);
  __u32 flags = flags_of(policy), generation = policy ? policy->generation : 0;
  __u32 closed = direction == DIRECTION_OUT ? POLICY_CLOSED_OUT : POLICY_CLOSED_IN;
  __u64 now = bpf_ktime_get_ns();

  __u8 first;
  struct packet packet = {};
  __u32 transport = 0;
  if (load(skb, 0, &first, 1) || !read_ip(skb, 0, first >> 4, &packet, &transport)) {
    count(MALFORMED);
    return flags & closed && !(flags & POLICY_AUDIT) ? DROP : PASS;
  }
  if (is_loopback(&packet.source) || is_loopback(&packet.destination))
    return PASS;
  if (same(&packet.source, &packet.destination))
    return PASS;
  read_transport(skb, transport, &packet, 0);
  if (packet.kind == KIND_LOCAL)
    return PASS;
  if (packet.kind == KIND_BROKEN) {
    count(MALFORMED);
    return flags & closed && !(flags & POLICY_AUDIT) ? DROP : PASS;
  }
  if (packet.kind == KIND_ERROR && direction == DIRECTION_IN && is_about_a_flow(skb, number, packet.payload, first >> 4))
    return PASS;

  struct flow_key key = key_of(number, &packet, direction);
  struct flow *flow = packet.kind == KIND_FLOW ? bpf_map_lookup_elem(&flows, &key) : 0;
  __u8 asked = direction;
  int begins = 0;
  struct judged judged = {};
  if (flow && !stale(flow, packet.protocol, now) && !(flow->closing && packet.begins && packet.protocol == IPPROTO_TCP)) {
    asked = flow->direction;
    judged.rule = flow->rule;
    judged.verdict = flow->verdict;
    if (flow->generation != generation) {
      struct wanted again = wanted_of(id, &key, asked);
      judged = judge(&again, flags, known(packet.protocol));
      flow->generation = generation;
      flow->rule = judged.rule;
      flow->verdict = judged.verdict;
    }
    flow->seen = now;
    if (packet.ends)
      flow->closing = 1;
  } else {
    struct wanted wanted = wanted_of(id, &key, direction);
    judged = judge(&wanted, flags, known(packet.protocol));
    /* In the middle of a connection that nobody remembers: it may have been opened from the other side. */
    if (judged.verdict != VERDICT_ALLOWED && packet.protocol == IPPROTO_TCP && !packet.begins) {
      struct wanted other = wanted_of(id, &key, !direction);
      struct judged opposite = judge(&other, flags, 1);
      if (opposite.verdict == VERDICT_ALLOWED) {
        judged = opposite;
        asked = !direction;
      }
    }
    begins = 1;
    if (packet.kind == KIND_FLOW && judged.verdict != VERDICT_DENIED) {
      struct flow fresh = {.seen = now, .generation = generation, .rule = judged.rule, .direction = asked,
                           .verdict = judged.verdict, .closing = packet.ends};
      if (bpf_map_update_elem(&flows, &key, &fresh, BPF_ANY))
        count(LOST_FLOWS);
    }
  }
  if (judged.verdict == VERDICT_DENIED && flow)
    bpf_map_delete_elem(&flows, &key);

  struct wanted about = wanted_of(id, &key, asked);
  struct record_key record = {.pod = number, .rule = judged.rule, .remote = key.remote, .port = about.port,
                              .protocol = packet.protocol, .direction = asked, .verdict = judged.verdict};
  int leaves = direction == DIRECTION_OUT;
  if (leaves && judged.verdict != VERDICT_DENIED && policy && policy->rate && !within_rate(pod, policy, skb->len, now)) {
    record.verdict = VERDICT_LIMITED;
    keep(&record, now, 0, leaves, skb->len);
    return DROP_AND_SLOW_DOWN;
  }
  keep(&record, now, begins, leaves, skb->len);
  if (judged.verdict == VERDICT_DENIED)
    return DROP;
  if (asked == DIRECTION_OUT && key.remote_port == bpf_htons(DNS_PORT)) {
    struct dialogue dialogue = {.offset = packet.payload, .policy = id, .pod = number, .local_port = key.local_port,
                                .leaves = leaves};
    if (packet.protocol == IPPROTO_UDP)
      watch_message(skb, &dialogue);
    else if (packet.protocol == IPPROTO_TCP)
      watch_stream(skb, &dialogue);
  }
  return PASS;
}

SEC("cgroup_skb/egress")
int pod_egress(struct __sk_buff *skb) { return filter(skb, DIRECTION_OUT); }

SEC("cgroup_skb/ingress")
int pod_ingress(struct __sk_buff *skb) { return filter(skb, DIRECTION_IN); }

/* A socket is about to speak to an address: what the packets would be told, before there are any. */
static __always_inline int ask(struct bpf_sock_addr *context, struct address remote, int connects) {
  struct pod *pod = bpf_get_local_storage(&pods, 0);
  __be16 port = context->user_port;
  __u8 protocol = context->protocol;
  if (is_loopback(&remote))
    return protocol == IPPROTO_TCP && port == bpf_htons(ATTACHED_PORT) ? EPERM_NOW : GO_ON;
  /* No address is this machine's own. getaddrinfo() connects to it to sort what it has found. */
  if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || is_unspecified(&remote))
    return GO_ON;
  __u32 id = pod->policy, number = pod->number;
  struct policy *policy = bpf_map_lookup_elem(&policies, &id);
  struct wanted wanted = {.policy = id, .direction = DIRECTION_OUT, .remote = remote, .port = port, .protocol = protocol};
  struct judged judged = judge(&wanted, flags_of(policy), 1);
  if (judged.verdict != VERDICT_DENIED)
    return GO_ON;
  struct own_key itself = {.pod = number, .address = remote};
  if (bpf_map_lookup_elem(&own, &itself))
    return GO_ON;
  /* The answer of a UDP server goes to whoever has asked it. */
  struct bpf_sock *socket = context->sk;
  if (!connects && socket) {
    struct flow_key key = {.pod = number, .remote = remote, .remote_port = port, .protocol = protocol};
    key.local_port = bpf_htons(socket->src_port);
    if (bpf_map_lookup_elem(&flows, &key))
      return GO_ON;
  }
  struct record_key record = {.pod = number, .rule = judged.rule, .remote = remote, .port = port, .protocol = protocol,
                              .direction = DIRECTION_OUT, .verdict = judged.verdict};
  keep(&record, bpf_ktime_get_ns(), 1, 1, 0);
  return EPERM_NOW;
}

static __always_inline struct address remote4(const struct bpf_sock_addr *context) {
  struct address address;
  from_ipv4(&address, context->user_ip4);
  return address;
}

static __always_inline struct address remote6(const struct bpf_sock_addr *context) {
  __u32 words[4] = {context->user_ip6[0], context->user_ip6[1], context->user_ip6[2], context->user_ip6[3]};
  struct address address;
  __builtin_memcpy(&address, words, sizeof(address));
  return address;
}

SEC("cgroup/connect4")
int pod_connect4(struct bpf_sock_addr *context) { return ask(context, remote4(context), 1); }

SEC("cgroup/connect6")
int pod_connect6(struct bpf_sock_addr *context) { return ask(context, remote6(context), 1); }

SEC("cgroup/sendmsg4")
int pod_sendmsg4(struct bpf_sock_addr *context) { return ask(context, remote4(context), 0); }

SEC("cgroup/sendmsg6")
int pod_sendmsg6(struct bpf_sock_addr *context) { return ask(context, remote6(context), 0); }

char LICENSE[] SEC("license") = "GPL";
