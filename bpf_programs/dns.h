/* Resolvers' answers, read in the kernel: a connection that follows at once finds its address allowed, and names are
 * learned while the agent is away. RFC 1035, section 4.
 *
 * Limits: 64 answers, names of 32 labels, 4,095 bytes of a message. Over TCP, messages that begin in the segment they are
 * read in; of one that goes on in the next segment, the answers of the first.
 */
#pragma once

#include "maps.h"

#define DNS_PORT 53
#define MESSAGE_MASK 4095
#define HEADER_BYTES 12
#define LABELS 32
#define ANSWERS 64
#define STREAMED 4 /* messages of a segment that are read */
#define TYPE_A 1
#define TYPE_AAAA 28
#define CLASS_IN 1
#define SECOND 1000000000ULL
/* Programs connect a while after they have asked, and keep what they were told longer than they should. */
#define GRACE_SECONDS 60
#define LONGEST_SECONDS 86400

/* The first four are an answer_event. */
struct reading {
  __u32 kind;
  __u32 pod;
  __u32 length;
  __u8 message[MESSAGE_MASK + 1];
  __u64 starts[4]; /* bit i: a label begins i bytes after the header */
  __u64 hash;
  __u64 mask; /* the names of the policy that the question is one of */
  __u64 now;
  __u32 policy;
  __u32 at;
  __u32 end; /* of the question's name */
  struct learned_key key; /* here, for the stack is small */
  struct learned value;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct reading);
} readings SEC(".maps");

/* Where a message is in a packet, and who speaks with a resolver. */
struct dialogue {
  __u32 offset;
  __u32 policy;
  __u32 pod;
  __u32 local_port;
  __u32 leaves;
};

/* What bpf_loop passes on has to be on the stack. */
struct loop {
  struct reading *reading;
};

static __always_inline __u8 byte_at(const struct reading *reading, __u32 at) { return reading->message[at & MESSAGE_MASK]; }

static __always_inline __u16 short_at(const struct reading *reading, __u32 at) {
  return byte_at(reading, at) << 8 | byte_at(reading, at + 1);
}

static __always_inline __u32 long_at(const struct reading *reading, __u32 at) {
  return (__u32)short_at(reading, at) << 16 | short_at(reading, at + 2);
}

/* The word of the bit, by an index that the verifier can follow: a compiler that knows the range leaves out the mask. */
static __always_inline __u64 *word_of(struct reading *reading, __u32 offset) {
  asm volatile("" : "+r"(offset));
  return &reading->starts[offset >> 6 & 3];
}

/* Which name of the policy the question's name is from `offset` on. Any hash can be made to be another's: the name itself
 * is compared.
 */
static __always_inline void find_name(struct reading *reading, __u32 offset) {
  struct name_key key = {.policy = reading->policy, .wildcard = offset != 0, .hash = reading->hash};
  struct name *name = bpf_map_lookup_elem(&names, &key);
  if (!name || name->index >= NAMES_PER_POLICY || name->length != reading->end - HEADER_BYTES - offset)
    return;
  for (__u32 i = 0; i < NAME_BYTES && i < name->length; i++)
    if (name->wire[i] != byte_at(reading, HEADER_BYTES + offset + i))
      return;
  reading->mask |= 1ULL << name->index;
}

/* One byte of the question's name, from its last to its first: so each of its ends has a hash of its own on the way. */
static long hash_byte(__u32 i, struct loop *loop) {
  struct reading *reading = loop->reading;
  __u32 offset = reading->end - HEADER_BYTES - 1 - i;
  __u8 byte = byte_at(reading, HEADER_BYTES + offset);
  if (byte >= 'A' && byte <= 'Z')
    byte += 'a' - 'A';
  reading->message[(HEADER_BYTES + offset) & MESSAGE_MASK] = byte;
  reading->hash = (reading->hash ^ byte) * 0x100000001b3ULL;
  if (*word_of(reading, offset) >> (offset & 63) & 1)
    find_name(reading, offset);
  return 0;
}

/* Reads the only question of a message: its name's hash, and which names of the policy it is. 0: it has none. */
static __always_inline int read_question(struct reading *reading) {
  reading->hash = 0xcbf29ce484222325ULL;
  reading->mask = 0;
  for (int i = 0; i < 4; i++)
    reading->starts[i] = 0;
  if (reading->length < HEADER_BYTES + 5 || short_at(reading, 4) != 1)
    return 0;
  __u32 at = HEADER_BYTES;
  for (int i = 0; i < LABELS; i++) {
    __u8 length = byte_at(reading, at);
    if (length == 0)
      break;
    if (length > 63)
      return 0;
    __u32 offset = at - HEADER_BYTES;
    *word_of(reading, offset) |= 1ULL << (offset & 63);
    at += length + 1;
    if (at >= HEADER_BYTES + NAME_BYTES || at >= reading->length)
      return 0;
  }
  if (byte_at(reading, at) != 0)
    return 0;
  reading->end = at;
  reading->at = at + 5;
  struct loop loop = {.reading = reading};
  bpf_loop(at - HEADER_BYTES, hash_byte, &loop, 0);
  return 1;
}

/* The address in `key` is one of the names' for as many seconds. */
static __always_inline void learn(struct reading *reading, __u32 seconds) {
  if (seconds > LONGEST_SECONDS)
    seconds = LONGEST_SECONDS;
  reading->key.policy = reading->policy;
  reading->value.names = reading->mask;
  reading->value.expires = reading->now + (seconds + GRACE_SECONDS) * SECOND;
  struct learned *before = bpf_map_lookup_elem(&learned, &reading->key);
  if (before && before->expires > reading->now) {
    reading->value.names |= before->names;
    if (before->expires > reading->value.expires)
      reading->value.expires = before->expires;
  }
  if (bpf_map_update_elem(&learned, &reading->key, &reading->value, BPF_ANY))
    count(LOST_NAMES);
}

/* One resource record. 1: there is no further one. */
static long read_answer(__u32 i, struct loop *loop) {
  struct reading *reading = loop->reading;
  __u32 at = reading->at;
  for (int label = 0; label <= LABELS; label++) {
    __u8 length = byte_at(reading, at);
    if (length >= 0xc0) {
      at += 2;
      break;
    }
    at += length + 1;
    if (length == 0)
      break;
    if (label == LABELS)
      return 1;
  }
  if (at + 10 > reading->length)
    return 1;
  __u16 type = short_at(reading, at), class = short_at(reading, at + 2), size = short_at(reading, at + 8);
  __u32 seconds = long_at(reading, at + 4);
  at += 10;
  if (at + size > reading->length)
    return 1;
  reading->at = at + size;
  if (class != CLASS_IN)
    return 0;
  __u8 *bytes = reading->key.address.bytes;
  if (type == TYPE_A && size == 4) {
    for (int k = 0; k < 10; k++)
      bytes[k] = 0;
    bytes[10] = bytes[11] = 0xff;
    for (int k = 0; k < 4; k++)
      bytes[12 + k] = byte_at(reading, at + k);
  } else if (type == TYPE_AAAA && size == 16) {
    for (int k = 0; k < 16; k++)
      bytes[k] = byte_at(reading, at + k);
  } else {
    return 0;
  }
  learn(reading, seconds);
  return 0;
}

static __always_inline struct reading *read_message(struct __sk_buff *skb, const struct dialogue *dialogue) {
  __u32 zero = 0, offset = dialogue->offset, length = skb->len - offset;
  struct reading *reading = bpf_map_lookup_elem(&readings, &zero);
  if (!reading || offset > skb->len)
    return 0;
  if (length > MESSAGE_MASK)
    length = MESSAGE_MASK;
  asm volatile("" : "+r"(length)); /* so that the verifier sees both bounds */
  if (length < HEADER_BYTES || length > MESSAGE_MASK || bpf_skb_load_bytes(skb, offset, reading->message, length))
    return 0;
  reading->length = length;
  reading->policy = dialogue->policy;
  reading->now = bpf_ktime_get_ns();
  return reading;
}

/* A question leaves: only its answer will be believed. Whether it is one. */
static __always_inline int note_question(struct reading *reading, struct asked_key *key) {
  if (byte_at(reading, 2) & 0x80 || !read_question(reading))
    return 0;
  __u64 hash = reading->hash;
  bpf_map_update_elem(&asked, key, &hash, BPF_ANY);
  return 1;
}

/* An answer arrives, of a resolver that the rules allow. Whether it is one to a question. */
static __always_inline int read_reply(struct reading *reading, struct asked_key *key) {
  if (!(byte_at(reading, 2) & 0x80) || !read_question(reading))
    return 0;
  __u64 *hash = bpf_map_lookup_elem(&asked, key);
  if (!hash || *hash != reading->hash)
    return 0;
  bpf_map_delete_elem(&asked, key);
  if (byte_at(reading, 3) & 0x0f) /* an error: no such name, for one */
    return 1;
  __u32 answers = short_at(reading, 6);
  struct loop loop = {.reading = reading};
  if (reading->mask)
    bpf_loop(answers < ANSWERS ? answers : ANSWERS, read_answer, &loop, 0);
  reading->kind = EVENT_ANSWER;
  reading->pod = key->pod;
  if (bpf_ringbuf_output(&events, reading, sizeof(struct answer_event), 0))
    count(LOST_EVENTS);
  return 1;
}

/* A message of a dialogue with a resolver. Whether it was one. */
__attribute__((noinline)) int watch_message(struct __sk_buff *skb, const struct dialogue *dialogue) {
  if (!dialogue)
    return 0;
  struct reading *reading = read_message(skb, dialogue);
  if (!reading)
    return 0;
  struct asked_key key = {.pod = dialogue->pod, .local_port = dialogue->local_port, .id = short_at(reading, 0)};
  return dialogue->leaves ? note_question(reading, &key) : read_reply(reading, &key);
}

/* The same of a TCP segment (RFC 1035, 4.2.2): each message is behind its length, which may have come alone before. */
__attribute__((noinline)) int watch_stream(struct __sk_buff *skb, const struct dialogue *dialogue) {
  if (!dialogue)
    return 0;
  struct dialogue one = *dialogue;
  for (int i = 0; i < STREAMED; i++) {
    __u8 length[2];
    if (bpf_skb_load_bytes(skb, one.offset, length, sizeof(length)))
      return 0;
    __u32 begin = one.offset;
    one.offset = begin + 2;
    if (!watch_message(skb, &one) && i == 0) {
      one.offset = begin;
      watch_message(skb, &one);
      return 0;
    }
    one.offset = begin + 2 + (length[0] << 8 | length[1]);
  }
  return 0;
}
