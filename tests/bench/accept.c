/* Accepts every packet of a queue: the least that libnetfilter_queue can do.
 *
 * Reads commands, a line each, as bench/consumers.py says: bind, drain, unbind.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/netfilter.h>
#include <libnetfilter_queue/libnetfilter_queue.h>

static struct nfq_handle *library;
static struct nfq_q_handle *queue;

static int accept_packet(struct nfq_q_handle *from, struct nfgenmsg *message,
                         struct nfq_data *packet, void *unused)
{
    struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(packet);

    (void)message;
    (void)unused;
    return nfq_set_verdict(from, ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
}

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int bind_queue(int number, int length, int buffer)
{
    library = nfq_open();
    if (library == NULL)
        return fail("nfq_open");
    queue = nfq_create_queue(library, (uint16_t)number, accept_packet, NULL);
    if (queue == NULL)
        return fail("nfq_create_queue");
    if (nfq_set_mode(queue, NFQNL_COPY_PACKET, 0xffff) < 0)
        return fail("nfq_set_mode");
    if (nfq_set_queue_maxlen(queue, (uint32_t)length) < 0)
        return fail("nfq_set_queue_maxlen");
    if (setsockopt(nfq_fd(library), SOL_SOCKET, SO_RCVBUFFORCE, &buffer,
                   sizeof buffer) < 0)
        return fail("SO_RCVBUFFORCE");
    return 0;
}

static int drain(void)
{
    static char buffer[0x10000 + 4096];
    int socket = nfq_fd(library);

    for (;;) {
        ssize_t got = recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);

        if (got >= 0)
            nfq_handle_packet(library, buffer, (int)got);
        else if (errno == EAGAIN)
            return 0;
        else if (errno != EINTR)
            return fail("recv");
    }
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static int timed_drain(void)
{
    struct timespec begin, end;
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (drain() != 0)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_SELF, &after);
    printf("drained %.9f %.6f %.6f\n",
           (double)(end.tv_sec - begin.tv_sec) +
               (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
           seconds(after.ru_utime) - seconds(before.ru_utime),
           seconds(after.ru_stime) - seconds(before.ru_stime));
    return 0;
}

int main(int count, char **words)
{
    char command[16];

    if (count != 4)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (scanf("%15s", command) == 1) {
        if (strcmp(command, "bind") == 0) {
            if (bind_queue(atoi(words[1]), atoi(words[2]), atoi(words[3])) != 0)
                return 1;
            puts("bound");
        } else if (strcmp(command, "drain") == 0) {
            if (timed_drain() != 0)
                return 1;
        } else {
            nfq_destroy_queue(queue);
            nfq_close(library);
            puts("unbound");
        }
    }
    return 0;
}
