/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/mem.h"
#include "proto/hosts.h"
#include "tests/harness.h"

/* Variables as "A=1;B=2;". */
static const char *lookup(void *self, const char *name)
{
    static char value[8][512];
    static int turn;
    const char *at = self;
    size_t size = strlen(name);

    for (; at != NULL && *at != '\0'; at += strcspn(at, ";") + 1) {
        if (strncmp(at, name, size) == 0 && at[size] == '=') {
            char *out = value[turn = (turn + 1) % 8];

            snprintf(out, 512, "%.*s", (int)strcspn(at + size + 1, ";"),
                     at + size + 1);
            return out;
        }
    }
    return NULL;
}

static enum status make(char *variables, const char *resource,
                        struct fault *why, struct hosts *out)
{
    struct job_text text = {"resourceconfig.json",
                            bytes_of(resource != NULL ? resource : "")};
    struct hosts_input input = {resource != NULL ? &text : NULL, lookup,
                                variables, "me"};

    why->text[0] = '\0';
    return hosts_make(&input, why, out);
}

/* "origin: a,*b ranks=8 listed=1,0": the current host has a star. */
static void describe(const struct hosts *h, struct buf *out)
{
    bool is_plain = true;

    buf_clear(out);
    buf_print(out, "%s: ", h->origin);
    for (uint32_t i = 0; i < h->count; i++) {
        buf_print(out, "%s%s%s", i > 0 ? "," : "", i == h->current ? "*" : "",
                  h->names[i]);
        is_plain = is_plain && h->listed[i] == i;
        EXPECT_EQ(hosts_find(h, h->names[i]), i);
    }
    if (h->local_ranks > 0) {
        buf_print(out, " ranks=%u", h->local_ranks);
    }
    for (uint32_t i = 0; !is_plain && i < h->count; i++) {
        buf_print(out, "%s%u", i > 0 ? "," : " listed=", h->listed[i]);
    }
    EXPECT_EQ(hosts_find(h, "nobody"), h->count);
}

static const struct {
    const char *variables;
    const char *resource;
    const char *want; /* Description, or the fault. */
} rows[] = {
    {"", NULL, "hostname: *me"},
    /* The platform. */
    {"SM_HOSTS=[\"algo-1\",\"algo-2\"];SM_CURRENT_HOST=algo-2;", NULL,
     "SM_HOSTS: algo-1,*algo-2"},
    {"SM_HOSTS=[\"algo-1\",\"algo-10\",\"algo-2\"];SM_CURRENT_HOST=algo-10;",
     NULL, "SM_HOSTS: algo-1,algo-2,*algo-10 listed=0,2,1"},
    {"SM_HOSTS=[\"algo-1-zzzzz\",\"algo-2-aaaaa\"];"
     "SM_CURRENT_HOST=algo-2-aaaaa;",
     NULL, "SM_HOSTS: algo-1-zzzzz,*algo-2-aaaaa"},
    {"SM_HOSTS=[\"n01\",\"n1\"];SM_CURRENT_HOST=n1;", NULL,
     "SM_HOSTS: n01,*n1"},
    {"SM_HOSTS=[\"b2\",\"a1\"];SM_CURRENT_HOST=a1;", NULL, "SM_HOSTS: b2,*a1"},
    {"SM_HOSTS=[\"7\",\"3\"];SM_CURRENT_HOST=7;", NULL,
     "SM_HOSTS: 3,*7 listed=1,0"},
    {"SM_HOSTS=[\"a\"];", NULL, "SM_HOSTS is set, but SM_CURRENT_HOST is not"},
    {"SM_HOSTS=[\"a\",\"b\"];SM_CURRENT_HOST=c;", NULL,
     "SM_CURRENT_HOST: this host, \"c\", is not among the 2 hosts of SM_HOSTS "
     "(a, …, b)"},
    {"SM_HOSTS=[\"a\",\"b\",\"a\"];SM_CURRENT_HOST=b;", NULL,
     "SM_HOSTS: host a is listed twice"},
    {"SM_HOSTS=[];SM_CURRENT_HOST=b;", NULL, "SM_HOSTS: no host is listed"},
    {"SM_HOSTS={\"a\":1};SM_CURRENT_HOST=b;", NULL,
     "SM_HOSTS: the hosts are not a list of names"},
    {"SM_HOSTS=[1];SM_CURRENT_HOST=b;", NULL,
     "SM_HOSTS:1: a host is not a string"},
    {"SM_HOSTS=[\"../x\"];SM_CURRENT_HOST=b;", NULL,
     "SM_HOSTS: \"../x\" is not a host name: 1 to 253 letters, digits, '.', "
     "'-' and '_', no '.' or '-' first"},
    {"SM_HOSTS=[\"\"];SM_CURRENT_HOST=b;", NULL,
     "SM_HOSTS: \"\" is not a host name: 1 to 253 letters, digits, '.', '-' "
     "and '_', no '.' or '-' first"},
    {"SM_HOSTS=[\"a\"];SM_CURRENT_HOST=a;",
     "{\"hosts\": [\"b\"], \"current_host\": \"b\"}", "SM_HOSTS: *a"},
    {"",
     "{\"current_host\": \"algo-1\", \"hosts\": [\"algo-1\", \"algo-2\"], "
     "\"network_interface_name\": \"eth0\"}",
     "resourceconfig.json: *algo-1,algo-2"},
    {"SLURM_JOB_NODELIST=x;", "{\"current_host\":\"a\",\"hosts\":[\"a\"]}",
     "resourceconfig.json: *a"},
    {"", "{\"hosts\": [\"a\"]}",
     "resourceconfig.json: it does not name the current host"},
    {"", "{\"current_host\": \"a\"}",
     "resourceconfig.json: the hosts are not a list of names"},
    {"", "[]", "resourceconfig.json:1: the document is not an object"},
    {"",
     "{\"current_host\":\"a\",\"hosts\":[\"a\"],\"instance_groups\":[\n"
     "{\"instance_group_name\":\"g\",\"hosts\":[\"z\"]}]}",
     "resourceconfig.json:2: instance group g has a host \"z\" that is not "
     "among the hosts"},
    {"",
     "{\"current_host\":\"a\",\"hosts\":[\"a\"],\"instance_groups\":[\n"
     "{\"instance_group_name\":\"g\",\"hosts\":[\"a\",\"a\"]}]}",
     "resourceconfig.json: instance group g lists host a twice"},
    {"",
     "{\"current_host\":\"a\",\"hosts\":[\"a\"],\"instance_groups\":[\n"
     "{\"hosts\":[\"a\"]}]}",
     "resourceconfig.json:2: an instance group has no name, or there are more "
     "than 64"},
    /* Our own. */
    {"SMSHARD_HOSTS=c,b,a;SMSHARD_CURRENT_HOST=b;SM_HOSTS=[\"q\"];", NULL,
     "SMSHARD_HOSTS: c,*b,a"},
    {"SMSHARD_HOSTS=you,me;", NULL, "SMSHARD_HOSTS: you,*me"},
    {"SMSHARD_HOSTS=a,b;JOB_COMPLETION_INDEX=1;", NULL, "SMSHARD_HOSTS: a,*b"},
    {"SMSHARD_HOSTS=other;", NULL, "SMSHARD_HOSTS: *other"},
    {"SMSHARD_HOSTS=a,b;", NULL,
     "SMSHARD_HOSTS does not list this host, \"me\"; set "
     "SMSHARD_CURRENT_HOST to one that it lists"},
    {"SMSHARD_HOSTS=a,,b;", NULL,
     "SMSHARD_HOSTS: \"\" is not a host name: 1 to 253 letters, digits, '.', "
     "'-' and '_', no '.' or '-' first"},
    {"SMSHARD_HOSTS=a,b,a;SMSHARD_CURRENT_HOST=b;", NULL,
     "SMSHARD_HOSTS: host a is listed twice"},
    /* Slurm. */
    {"SLURM_JOB_NODELIST=n[08-10,3],gpu-1;SLURM_NODEID=3;"
     "SLURM_GPUS_ON_NODE=8;SLURM_NTASKS_PER_NODE=4;SLURM_JOB_NUM_NODES=5;",
     NULL, "Slurm: n08,n09,n10,*n3,gpu-1 ranks=8"},
    {"SLURM_JOB_NODELIST=r[1-2]n[1-2]x;SLURMD_NODENAME=r2n1x;"
     "SLURM_NTASKS_PER_NODE=4;",
     NULL, "Slurm: r1n1x,r1n2x,*r2n1x,r2n2x ranks=4"},
    {"SLURM_JOB_NODELIST=n[1-4];SLURM_STEP_NODELIST=n[2-3];SLURM_NODEID=1;"
     "SLURM_STEP_NUM_NODES=2;SLURM_NTASKS_PER_NODE=1;",
     NULL, "Slurm: n2,*n3"},
    {"SLURM_JOB_NODELIST=n[1-2];", NULL,
     "Slurm: neither SLURMD_NODENAME nor SLURM_NODEID tells which of 2 hosts "
     "this is; start smshard with srun"},
    {"SLURM_JOB_NODELIST=n[1-2];SLURM_NODEID=0;SLURM_JOB_NUM_NODES=3;", NULL,
     "Slurm: SLURM_JOB_NUM_NODES is 3, but 2 hosts are listed"},
    {"SLURM_JOB_NODELIST=n[1-2];SLURM_NODEID=0;SLURM_LOCALID=1;", NULL,
     "SLURM_LOCALID is 1: smshard starts the ranks of its host itself and is "
     "started once a host; use srun --ntasks-per-node=1"},
    {"SLURM_JOB_NODELIST=n[1-2;SLURM_NODEID=0;", NULL,
     "Slurm: \"n[1-2\" is not a list of hosts such as \"a1,b[01-16,20]\""},
    {"SLURM_JOB_NODELIST=n[2-1];SLURM_NODEID=0;", NULL,
     "Slurm: \"n[2-1]\" is not a list of hosts such as \"a1,b[01-16,20]\""},
    {"SLURM_JOB_NODELIST=n[1-2-3];SLURM_NODEID=0;", NULL,
     "Slurm: \"n[1-2-3]\" is not a list of hosts such as \"a1,b[01-16,20]\""},
    {"SLURM_JOB_NODELIST=n[1,];SLURM_NODEID=0;", NULL,
     "Slurm: \"n[1,]\" is not a list of hosts such as \"a1,b[01-16,20]\""},
    {"SLURM_JOB_NODELIST=n[];SLURM_NODEID=0;", NULL,
     "Slurm: \"n[]\" is not a list of hosts such as \"a1,b[01-16,20]\""},
    {"SLURM_JOB_NODELIST=n[0-16384];SLURM_NODEID=0;", NULL,
     "Slurm: more than 16384 hosts are listed"},
    {"SLURM_JOB_NODELIST=n[0-999999999];SLURM_NODEID=0;", NULL,
     "Slurm: more than 16384 hosts are listed"},
    {"SLURM_JOB_NODELIST=n1;SLURM_NODEID=x;", NULL,
     "SLURM_NODEID: \"x\" is not a whole number from 0 to 16384"},
    /* Open MPI. */
    {"OMPI_COMM_WORLD_SIZE=3;OMPI_COMM_WORLD_RANK=1;"
     "OMPI_COMM_WORLD_LOCAL_SIZE=1;OMPI_COMM_WORLD_LOCAL_RANK=0;",
     NULL, "Open MPI: host-0,*host-1,host-2"},
    {"OMPI_COMM_WORLD_SIZE=16;OMPI_COMM_WORLD_RANK=8;"
     "OMPI_COMM_WORLD_LOCAL_SIZE=8;OMPI_COMM_WORLD_LOCAL_RANK=0;",
     NULL, "Open MPI: host-0,*host-1 ranks=8"},
    {"OMPI_COMM_WORLD_SIZE=16;OMPI_COMM_WORLD_RANK=9;"
     "OMPI_COMM_WORLD_LOCAL_SIZE=8;OMPI_COMM_WORLD_LOCAL_RANK=1;",
     NULL,
     "OMPI_COMM_WORLD_LOCAL_RANK is 1: smshard starts the ranks of its host "
     "itself and is started once a host; use mpirun --map-by ppr:1:node"},
    {"OMPI_COMM_WORLD_SIZE=5;OMPI_COMM_WORLD_RANK=0;"
     "OMPI_COMM_WORLD_LOCAL_SIZE=2;",
     NULL, "Open MPI: 5 processes are not 2 on every host"},
    {"OMPI_COMM_WORLD_SIZE=2;OMPI_COMM_WORLD_RANK=2;", NULL,
     "Open MPI: this is host 2 of 2; at most 16384 are allowed, counted from "
     "0"},
    /* torchrun and what works as it does. */
    {"GROUP_RANK=1;GROUP_WORLD_SIZE=2;LOCAL_RANK=0;RANK=8;WORLD_SIZE=16;"
     "LOCAL_WORLD_SIZE=8;MASTER_ADDR=a;",
     NULL, "torchrun: host-0,*host-1"},
    {"RANK=1;WORLD_SIZE=2;MASTER_ADDR=a;", NULL, "torchrun: host-0,*host-1"},
    {"RANK=1;WORLD_SIZE=2;", NULL, "hostname: *me"},
    {"GROUP_RANK=0;GROUP_WORLD_SIZE=1;LOCAL_RANK=3;", NULL,
     "LOCAL_RANK is 3: smshard starts the ranks of its host itself and is "
     "started once a host; use torchrun --nproc-per-node=1"},
    {"GROUP_RANK=0;GROUP_WORLD_SIZE=0;", NULL,
     "torchrun: this is host 0 of 0; at most 16384 are allowed, counted from "
     "0"},
    /* Kubernetes. */
    {"JOB_COMPLETION_INDEX=1;SMSHARD_HOST_COUNT=3;HOSTNAME=train-1;", NULL,
     "Kubernetes: train-0,*train-1,train-2"},
    {"JOB_COMPLETION_INDEX=1;SMSHARD_HOST_COUNT=2;HOSTNAME=train-1-x7;", NULL,
     "Kubernetes: host-0,*host-1"},
    {"JOB_COMPLETION_INDEX=1;", NULL,
     "Kubernetes: this is pod 1 of an indexed job; set SMSHARD_HOST_COUNT to "
     "the job's completions, or SMSHARD_HOSTS"},
    {"JOB_COMPLETION_INDEX=2;SMSHARD_HOST_COUNT=2;", NULL,
     "Kubernetes: this is host 2 of 2; at most 16384 are allowed, counted "
     "from 0"},
};

TEST(every_source)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *variables = mem_copy(rows[i].variables);
        struct buf text = {0};
        struct hosts h;
        struct fault why;
        enum status s = make(variables, rows[i].resource, &why, &h);

        if (s == STATUS_OK) {
            describe(&h, &text);
        }
        EXPECT_STR(s == STATUS_OK ? buf_text(&text) : why.text, rows[i].want);
        EXPECT(s == STATUS_OK || h.names == NULL);
        hosts_fini(&h);
        buf_fini(&text);
        free(variables);
    }
}

TEST(twice_is_a_conflict_and_broken_is_malformed)
{
    char twice[] = "SMSHARD_HOSTS=a,a;";
    char broken[] = "SM_HOSTS=[;SM_CURRENT_HOST=a;";
    struct hosts h;
    struct fault why;

    EXPECT_EQ(make(twice, NULL, &why, &h), STATUS_CONFLICT);
    EXPECT_EQ(make(broken, NULL, &why, &h), STATUS_MALFORMED);
    EXPECT(strncmp(why.text, "SM_HOSTS:1:", 11) == 0);
    EXPECT_EQ(make(NULL, "{\"hosts\": [", &why, &h), STATUS_MALFORMED);
    EXPECT(strncmp(why.text, "resourceconfig.json:1:", 22) == 0);
}

static const char heterogeneous[] =
    "{\"current_host\": \"algo-2\",\n"
    "\"hosts\": [\"algo-1\", \"algo-10\", \"algo-2\", \"algo-3\"],\n"
    "\"network_interface_name\": \"eth0\",\n"
    "\"current_instance_type\": \"ml.c5.xlarge\",\n"
    "\"current_group_name\": \"cpu\",\n"
    "\"instance_groups\": [\n"
    "{\"instance_group_name\": \"cpu\", \"instance_type\": \"ml.c5.xlarge\","
    " \"hosts\": [\"algo-2\", \"algo-1\"]},\n"
    "{\"instance_group_name\": \"gpu\", \"hosts\": [\"algo-10\"]}],\n"
    "\"topology\": null, \"future\": {\"a\": 1}}";

TEST(groups_and_the_channels_for_them)
{
    struct job_channel c = {0};
    char gpu[] = "gpu";
    char cpu[] = "cpu";
    char none[] = "tpu";
    uint32_t out[4];
    struct hosts h;
    struct fault why;

    EXPECT_EQ(make(NULL, heterogeneous, &why, &h), STATUS_OK);
    EXPECT_STR(h.interface, "eth0");
    EXPECT_STR(h.instance_type, "ml.c5.xlarge");
    EXPECT_STR(h.group, "cpu");
    EXPECT_EQ(h.group_count, 2);
    EXPECT_STR(h.groups[0].instance_type, "ml.c5.xlarge");
    EXPECT(h.groups[1].instance_type == NULL);
    EXPECT_EQ(h.groups[0].host_count, 2);
    EXPECT_EQ(h.groups[0].hosts[0], 0);
    EXPECT_EQ(h.groups[0].hosts[1], 1);
    EXPECT_EQ(hosts_of_channel(&h, &c, out), 4);
    c.groups[0] = gpu;
    c.group_count = 1;
    EXPECT_EQ(hosts_of_channel(&h, &c, out), 1);
    EXPECT_EQ(out[0], 3);
    c.groups[1] = cpu;
    c.group_count = 2;
    EXPECT_EQ(hosts_of_channel(&h, &c, out), 3);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[2], 3);
    c.groups[0] = none;
    c.group_count = 1;
    EXPECT_EQ(hosts_of_channel(&h, &c, out), 0);
    hosts_fini(&h);
}

TEST(groups_from_variables)
{
    char variables[] =
        "SM_HOSTS=[\"a-1\",\"a-2\"];SM_CURRENT_HOST=a-1;"
        "SM_NETWORK_INTERFACE_NAME=ib0;SM_CURRENT_INSTANCE_TYPE=t;"
        "SM_CURRENT_INSTANCE_GROUP=g;SM_INSTANCE_GROUPS_DICT={\"g\":{\"hosts\":"
        "[\"a-2\"],\"instance_group_name\":\"g\",\"instance_type\":\"t\"}};";
    struct hosts h;
    struct fault why;

    EXPECT_EQ(make(variables, NULL, &why, &h), STATUS_OK);
    EXPECT_STR(h.interface, "ib0");
    EXPECT_STR(h.instance_type, "t");
    EXPECT_STR(h.group, "g");
    EXPECT_EQ(h.group_count, 1);
    EXPECT_EQ(h.groups[0].hosts[0], 1);
    hosts_fini(&h);
}

TEST(the_most_hosts_in_the_order_of_text)
{
    struct buf text = {0};
    struct hosts h;
    struct fault why;

    for (int extra = 0; extra < 2; extra++) {
        buf_clear(&text);
        buf_add_text(&text, "{\"current_host\":\"algo-16384\",\"hosts\":[");
        for (int i = HOSTS_MAX + extra; i > 0; i--) {
            buf_print(&text, "\"algo-%d\"%s", i, i > 1 ? "," : "]}");
        }
        EXPECT_EQ(make(NULL, buf_text(&text), &why, &h),
                  extra == 0 ? STATUS_OK : STATUS_INVALID);
        if (extra == 0) {
            EXPECT_EQ(h.current, HOSTS_MAX - 1);
            EXPECT_STR(h.names[0], "algo-1");
            EXPECT_EQ(h.listed[0], HOSTS_MAX - 1);
            EXPECT_EQ(hosts_find(&h, "algo-777"), 776);
        }
        hosts_fini(&h);
    }
    EXPECT_STR(why.text,
               "resourceconfig.json: more than 16384 hosts are listed");
    buf_fini(&text);
}
