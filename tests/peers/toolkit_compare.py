#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare proto/toolkit with the real SageMaker training toolkit:

    PYTHON toolkit_compare.py PROGRAM [COUNT [SEED]]

PROGRAM is the built tests/tools/toolkit_dump.c; PYTHON is one that has the
package sagemaker-training. Random configurations are derived by both; every
variable, the argument list and the refusals must be the same."""

import importlib.util
import json
import os
import random
import shutil
import string
import subprocess
import sys
import tempfile

FILES = ("resourceconfig.json", "inputdataconfig.json", "hyperparameters.json")
ENABLES = ["sagemaker_mpi_enabled", "sagemaker_parameter_server_enabled",
           "sagemaker_distributed_dataparallel_enabled",
           "sagemaker_pytorch_ddp_enabled",
           "sagemaker_pytorch_xla_multi_worker_enabled",
           "sagemaker_multi_worker_mirrored_strategy_enabled",
           "sagemaker_torch_distributed_enabled"]
SCALARS = [None, True, False, 0, 1, -1, 0.0, -0.0, 1.5, 1e16, 1e-5, 0.1,
           float("nan"), float("inf"), -float("inf"), 10**30, "", "x", "é",
           "a b", "it's", '"', "'\"", "\n\t", "\x7f\x1b", "\u2028", "😀", "中",
           "\U000e0001", "=", ",", "--x", "a=b", "/x", "True", "null", "007",
           "1e400", "-0", " 5 ", "[1,", "{}", "NaN", "1E5", "9" * 4300,
           "9" * 4301, "\ufeff1", "1\n", "'a'", "0.1e-7", "+1", "1_000"]
ODD = ["\ud800", "\udc80", "\udcc3\udca9", "a\x00b", '"\ud83d\\ude00"',
       '"\\ud83d\\ude00"', '"\\udcff"', '"\\u0000"']
VARIABLES = {
    "TRAINING_JOB_NAME": ["job-1", "", "jöb"],
    "SAGEMAKER_TRAINING_MODULE": ["a.b:main", ""],
    "SAGEMAKER_PROGRAM": ["train.py", "", "x/y.py", "mod", ".py",
                          "tr\udcff.py"],
    "AWS_DEFAULT_REGION": ["us-west-2"],
    "SAGEMAKER_SUBMIT_DIRECTORY": ["/somewhere"],
    "SAGEMAKER_CONTAINER_LOG_LEVEL": ["10"],
    "SM_HP_MP_PARAMETERS": ["", "{}", '{"a": 1}'],
}


def value(rng, depth=2):
    pick = rng.random()
    if depth == 0 or pick < 0.6:
        if rng.random() < 0.3:
            return rng.choice([rng.randrange(-10**6, 10**6), rng.gauss(0, 1),
                               rng.random() * 10 ** rng.randrange(-9, 20)])
        return rng.choice(SCALARS)
    if pick < 0.8:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {key(rng): value(rng, depth - 1) for _ in range(rng.randrange(4))}


def key(rng):
    if rng.random() < 0.25:
        return rng.choice(["", "a", "A", "é", "ß", "ŉ", "ǆ", "Σς",
                           "ﬃ", "ı", "batch-size", "a.b",
                           "_tuning_objective_metric",
                           "default_user_module_name", "中", "x y", "😀",
                           "sagemaker", "SAGEMAKER_X", "ᾳ", "ա", "𐐨"])
    return "".join(rng.choice(string.ascii_letters + "_-.0")
                   for _ in range(rng.randrange(1, 8)))


def hyperparameter(rng):
    """What stands in the file: as a rule a string of JSON or a plain one."""
    pick = rng.random()
    if pick < 0.5:
        return json.dumps(value(rng), ensure_ascii=rng.random() < 0.5)
    if pick < 0.8:
        return str(rng.choice(SCALARS))
    if pick < 0.81:
        return rng.choice(ODD)
    return value(rng)


def special(rng):
    program = ["train.py", "train", "a/b.py", "a.py.py", ".py", "", None, 5,
               ["x.py"], {"a": 1}, True, False, "träin.py"]
    hps = {}
    for name, values in [
            ("sagemaker_program", program),
            ("sagemaker_submit_directory", ["s3://b/s.tar.gz", None, 7, [1]]),
            ("sagemaker_container_log_level", [10, "20", None, 1.5, [1]]),
            ("sagemaker_job_name", ["j", "j", ""] + [None] * rng.randrange(2)),
            ("sagemaker_region", ["r", "", None, 0, False] +
             [5] * rng.randrange(2)),
            ("sagemaker_s3_output", ["s3://x"]),
            ("sagemaker_foo", [value(rng)]),
            ("sagemaker_", [value(rng)])]:
        if rng.random() < 0.3:
            hps[name] = json.dumps(rng.choice(values))
    for name in ENABLES:
        if rng.random() < 0.1:
            hps[name] = json.dumps(rng.choice([True, True, False, 1, 0, "", "x",
                                               [], [0], None, 0.0]))
    return hps


def hyperparameters(rng, groups):
    items = list(special(rng).items())
    items += [(key(rng), hyperparameter(rng)) for _ in range(rng.randrange(9))]
    if rng.random() < 0.3:
        some = rng.sample(groups, rng.randrange(len(groups) + 1))
        odd = ["", "groupA groupB", {"groupA": 1}, None, 5, "other", ["x", 1]]
        items.append(("sagemaker_distribution_instance_groups",
                      json.dumps(some if rng.random() < 0.7
                                 else rng.choice(odd))))
    rng.shuffle(items)
    return dict(items)


def resource(rng):
    count = rng.randrange(1, 13)
    hosts = ["algo-%d" % (i + 1) for i in range(count)]
    hosts = rng.choice([hosts, sorted(hosts), rng.sample(hosts, count)])
    config = {"current_host": rng.choice(hosts), "hosts": hosts}
    names = ["groupA", "groupB", "homogeneousCluster", "", "é"]
    names = rng.sample(names, rng.randrange(1, 4))
    if rng.random() < 0.1:
        names.append(names[0])
    groups = []
    for i, name in enumerate(names):
        group = {"instance_group_name": name,
                 "instance_type": "ml.p4d.24xlarge",
                 "hosts": hosts[i::len(names)]}
        if rng.random() < 0.05:
            del group[rng.choice(["hosts", "instance_group_name",
                                  "instance_type"])]
        groups.append(group)
    if rng.random() < 0.85:
        config["instance_groups"] = rng.choice([groups] * 9 + [[]])
    if rng.random() < 0.85:
        config["current_group_name"] = rng.choice(names + ["other", None])
    if rng.random() < 0.7:
        config["current_instance_type"] = rng.choice(
            ["ml.c5.xlarge", "ml.trn2.48xlarge", "local", ""])
    if rng.random() < 0.6:
        config["network_interface_name"] = rng.choice(["eth0", "ethwe", "é"])
    if rng.random() < 0.4:
        config["topology"] = rng.choice(
            [None, [], {}, "", "x", 0,
             [{"hostName": h, "capacityUnitId": "u%d" % i}
              for i, h in enumerate(hosts)]])
    if rng.random() < 0.04:
        del config[rng.choice(list(config))]
    if rng.random() < 0.04:
        # Not "hosts": the toolkit survives null there if nothing looks at it.
        config[rng.choice(["instance_groups", "current_instance_type",
                           "current_host"])] = None
    if rng.random() < 0.02:
        config["hosts"] = []
    items = list(config.items())
    rng.shuffle(items)
    return dict(items), names


def channels(rng):
    modes = ["File", "FastFile", "Pipe"]
    names = ["train", "my-val.x", "Train", "validation", "tést", "a", "/abs",
             "x/y"]
    found = rng.sample(names, rng.randrange(5))
    return {name: {"TrainingInputMode": rng.choice(modes),
                   "S3DistributionType": rng.choice(["FullyReplicated",
                                                     "ShardedByS3Key"]),
                   "RecordWrapperType": rng.choice(["None", "RecordIO"])}
            for name in found}


def configuration(rng):
    config, names = resource(rng)
    hps = hyperparameters(rng, names)
    variables = {name: rng.choice(values)
                 for name, values in VARIABLES.items() if rng.random() < 0.3}
    return {"files": (config, channels(rng), hps), "variables": variables,
            "cpus": rng.randrange(1, 200), "gpus": rng.randrange(9),
            "runs": [rng.random() < 0.5, rng.random() < 0.5]}


def write(folder, config, rng):
    for name, content in zip(FILES, config["files"]):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            text = json.dumps(content, ensure_ascii=False)
            try:
                text.encode()
            except UnicodeEncodeError:
                text = json.dumps(content)
            out.write(text if rng.random() < 0.5 else json.dumps(content))


def as_child_sees(text):
    if "\0" in text:
        raise ValueError("embedded null byte")
    return os.fsdecode(os.fsencode(text))


def real(environment, config):
    """The lines of the toolkit, or None where it raises."""
    environment.num_cpus = lambda: config["cpus"]
    environment.num_gpus = lambda: config["gpus"]
    environment.validate_smddprun = lambda: config["runs"][0]
    environment.validate_smddpmprun = lambda: config["runs"][1]
    for name in ("SAGEMAKER_JOB_NAME", "CURRENT_HOST", "SAGEMAKER_REGION"):
        os.environ.pop(name, None)
    try:
        env = environment.Environment()
        found = env.to_env_vars()
        arguments = [as_child_sees(a) for a in env.to_cmd_args()]
        # What the PyTorch container sets; as os.environ does it.
        found.update(MASTER_ADDR=env.master_hostname, MASTER_PORT="7777",
                     NCCL_SOCKET_IFNAME=env.network_interface_name,
                     NCCL_IB_DISABLE="1", NCCL_DEBUG="WARN")
        for name in ("SAGEMAKER_JOB_NAME", "CURRENT_HOST", "SAGEMAKER_REGION"):
            found[name] = os.environ[name]
        lines = set()
        for name, text in found.items():
            if "=" in name or not name:
                raise ValueError("illegal environment variable name")
            lines.add(as_child_sees(name) + "=" + as_child_sees(text))
        return lines | {"CMDARGS " + str(arguments)}
    except (KeyError, TypeError, ValueError, IndexError,
            AttributeError) as error:
        config["error"] = error
        return None


def ours(program, folder, base, config):
    environ = dict(os.environ, TOOLKIT_CPUS=str(config["cpus"]),
                   TOOLKIT_GPUS=str(config["gpus"]),
                   TOOLKIT_RUNS=" ".join(
                       n for n, b in zip(("smddprun", "smddpmprun"),
                                         config["runs"]) if b))
    done = subprocess.run([program, "-0", "-x", folder, base], env=environ,
                          stdout=subprocess.PIPE, check=False)
    text = os.fsdecode(done.stdout)
    if done.returncode not in (0, 1):
        raise RuntimeError("%s ended with %d" % (program, done.returncode))
    config["ours"] = text
    if done.returncode == 1:
        return None
    return set(text.split("\0")[:-1])


def explain(number, config, want, got):
    print("configuration %d differs: %a" % (number, config["files"]))
    print("  variables %a" % config["variables"])
    if want is None or got is None:
        print("  toolkit: %r\n  ours: %.300a" % (config.get("error", "fine"),
                                                 config["ours"]))
        return
    for line in sorted(want - got):
        print("  toolkit %a" % line)
    for line in sorted(got - want):
        print("  ours    %a" % line)


def compare(program, base, count, seed):
    os.environ["SAGEMAKER_BASE_DIR"] = base
    for name in list(VARIABLES) + ["AWS_REGION", "AWS_PROFILE"]:
        os.environ.pop(name, None)
    os.environ["AWS_CONFIG_FILE"] = os.path.join(base, "none")
    from sagemaker_training import environment
    environment.logger.setLevel("ERROR")
    folder = os.path.join(base, "input", "config")
    os.makedirs(folder)
    rng = random.Random(seed)
    differ = refused = 0
    for number in range(count):
        config = configuration(rng)
        write(folder, config, rng)
        os.environ.update(config["variables"])
        want = real(environment, config)
        got = ours(program, folder, base, config)
        for name in config["variables"]:
            os.environ.pop(name, None)
        refused += want is None
        if want != got:
            differ += 1
            explain(number, config, want, got)
    print("%d configurations, %d refused by both, %d differ (seed %d)"
          % (count, refused, differ, seed))
    return differ


def main():
    if importlib.util.find_spec("sagemaker_training") is None:
        print("skipped: this Python has no sagemaker-training")
        return 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    base = tempfile.mkdtemp()
    try:
        return 1 if compare(sys.argv[1], base, count, seed) else 0
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    sys.exit(main())
