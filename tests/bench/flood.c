/* Sends two mixes of packets at two rates, for so many seconds and no longer.
 *
 *   flood INTERFACE MAC SECONDS FILE RATE [FILE RATE]
 *
 * A file holds IPv4 packets, each after its length (two bytes, high byte first). They
 * are sent in turn, 64 or more. Wherever a packet says "00000000" a count is written, so that no two
 * requests are alike; its UDP checksum must be 0, for none. What is late is left out
 * rather than sent in one go. Ends with one line of JSON: what was sent, and how.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

enum { BATCH = 64, MARKS = 4, MOST_SECONDS = 120, MOST_MIXES = 2 };

static const double PAUSE = 0.0005, MOST_LATE = 0.02;

struct packet {
    struct iovec bytes;
    int marks;
    char *mark[MARKS];
};

struct mix {
    struct packet *packets;
    size_t count, next;
    double rate;
    uint64_t sent, due;
};

static uint32_t requests;

static int fail(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void load(struct mix *mix, const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned char head[2];

    if (file == NULL)
        fail(path);
    while (fread(head, 1, 2, file) == 2) {
        size_t size = (size_t)(head[0] << 8 | head[1]);
        struct packet *packet;
        char *at;

        mix->packets = realloc(mix->packets, (mix->count + 1) * sizeof *packet);
        if (mix->packets == NULL)
            fail("memory");
        packet = &mix->packets[mix->count++];
        packet->bytes.iov_base = at = calloc(size + 1, 1);
        packet->bytes.iov_len = size;
        packet->marks = 0;
        if (at == NULL || fread(at, 1, size, file) != size)
            fail(path);
        while (packet->marks < MARKS &&
               (at = memmem(at, size - (size_t)(at - (char *)packet->bytes.iov_base),
                            "00000000", 8)) != NULL) {
            packet->mark[packet->marks++] = at;
            at += 8;
        }
    }
    if (mix->count < BATCH) { /* none may be in a batch twice */
        fprintf(stderr, "flood: %s: fewer than %d packets\n", path, BATCH);
        exit(1);
    }
    fclose(file);
}

static void number(struct packet *packet)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t value = ++requests;

    for (int at = 7; at >= 0; at--, value >>= 4)
        for (int mark = 0; mark < packet->marks; mark++)
            packet->mark[mark][at] = digits[value & 15];
}

int main(int count, char **words)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IP),
                             .sll_halen = 6};
    struct mix mixes[MOST_MIXES] = {0};
    int kinds = (count - 4) / 2, one = 1, out;
    double begin, end, seconds;
    uint64_t refused = 0, late = 0;
    struct rusage used;

    if (count < 6 || kinds > MOST_MIXES)
        return 2;
    to.sll_ifindex = (int)if_nametoindex(words[1]);
    if (to.sll_ifindex == 0)
        fail(words[1]);
    if (sscanf(words[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to.sll_addr[0],
               &to.sll_addr[1], &to.sll_addr[2], &to.sll_addr[3], &to.sll_addr[4],
               &to.sll_addr[5]) != 6)
        return 2;
    seconds = atof(words[3]);
    if (!(seconds > 0 && seconds <= MOST_SECONDS))
        return 2;
    for (int kind = 0; kind < kinds; kind++) {
        load(&mixes[kind], words[4 + 2 * kind]);
        mixes[kind].rate = atof(words[5 + 2 * kind]);
    }
    out = socket(AF_PACKET, SOCK_DGRAM, 0);
    if (out < 0)
        fail("socket");
    /* No queue of the interface in between: what is sent is sent. */
    setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);

    begin = now();
    end = begin + seconds;
    for (double time = begin; time < end; time = now()) {
        for (int kind = 0; kind < kinds; kind++) {
            struct mix *mix = &mixes[kind];
            uint64_t wanted = (uint64_t)((time - begin) * mix->rate);
            uint64_t most = (uint64_t)(MOST_LATE * mix->rate) + 1;

            if (wanted - mix->due > most) {
                late += wanted - mix->due - most;
                mix->due = wanted - most;
            }
            while (mix->due < wanted) {
                struct mmsghdr messages[BATCH];
                int size = 0, done;

                memset(messages, 0, sizeof messages);
                for (; size < BATCH && mix->due + (uint64_t)size < wanted; size++) {
                    struct packet *packet = &mix->packets[mix->next];

                    mix->next = (mix->next + 1) % mix->count;
                    number(packet);
                    messages[size].msg_hdr.msg_name = &to;
                    messages[size].msg_hdr.msg_namelen = sizeof to;
                    messages[size].msg_hdr.msg_iov = &packet->bytes;
                    messages[size].msg_hdr.msg_iovlen = 1;
                }
                mix->due += (uint64_t)size;
                for (int from = 0; from < size;) {
                    done = sendmmsg(out, messages + from, (unsigned)(size - from), 0);
                    if (done < 0) {
                        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
                            fail("sendmmsg");
                        refused++;
                        done = 1; /* the first of them was not taken */
                        mix->sent--;
                    }
                    from += done;
                    mix->sent += (uint64_t)done;
                }
            }
        }
        nanosleep(&(struct timespec){0, (long)(PAUSE * 1e9)}, NULL);
    }
    seconds = now() - begin;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"seconds\": %.3f, \"sent\": [", seconds);
    for (int kind = 0; kind < kinds; kind++)
        printf("%s%llu", kind ? ", " : "", (unsigned long long)mixes[kind].sent);
    printf("], \"refused\": %llu, \"late\": %llu, \"cpu\": %.2f}\n",
           (unsigned long long)refused, (unsigned long long)late,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    return 0;
}
