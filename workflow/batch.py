"""make run and make sweep: look at the cluster, then let Snakemake work and show lines and a bar in place of its log.

python workflow/batch.py slurm sweep workflow/sweeps/density.yaml
"""

import argparse
import contextlib
import io
import sys
from pathlib import Path

import yaml
from snakemake.cli import args_to_api, parse_args
from snakemake.exceptions import print_exception
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

import progress
import slurm

WORKFLOW = Path(__file__).resolve().parent


def argument_parser():
    """The parser of the command line; what it does not know goes to Snakemake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", help="a folder of workflow/profiles")
    parser.add_argument("target", choices=("run", "sweep"))
    parser.add_argument("sweep", nargs="?", metavar="SWEEP.yaml", help="of the target sweep")
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="in place of those of config.yaml")
    return parser


def folder_of_results(arguments):
    """Where the target puts what it computes."""
    config = yaml.safe_load((WORKFLOW / "config.yaml").read_text())
    config |= dict(item.split("=", 1) for item in arguments.config)
    runs = Path(config["runs"])
    return runs / "sweeps" / Path(arguments.sweep).stem if arguments.sweep else runs


def options_for_snakemake(arguments):
    """Of its command line; `slurm.NotReady` if a cluster that they need is not ready."""
    profile = WORKFLOW / "profiles" / arguments.profile
    sweep = [f"sweep={arguments.sweep}"] if arguments.sweep else []
    # jobs write what they find in one step: what is there is whole
    options = ["--workflow-profile", str(profile), "--ignore-incomplete", "--logger", "lines"]
    if yaml.safe_load((profile / "config.yaml").read_text()).get("executor") == "slurm":
        options += slurm.prepare(profile, folder_of_results(arguments))
    return [*options, "--config", *sweep, *arguments.config]


def snakemake(command):
    """What Snakemake's own main does, without the line that names the profile; true if all went well."""
    heard = io.StringIO()
    try:
        with contextlib.redirect_stderr(heard):
            parser, arguments = parse_args(command)
    except SystemExit:
        print(heard.getvalue(), file=sys.stderr)
        raise
    try:
        return args_to_api(arguments, parser)
    except Exception as error:
        print_exception(error)
        return False


def main():
    parser = argument_parser()
    arguments, others = parser.parse_known_args()
    if (arguments.target == "sweep") != bool(arguments.sweep):
        parser.error("sweep must come with its file, and run without one")
    # in a pipe, too, a line is there when it is told
    sys.stdout.reconfigure(line_buffering=True)
    LoggerPluginRegistry().register_plugin("snakemake_logger_plugin_lines", progress)
    try:
        options = options_for_snakemake(arguments)
    except slurm.NotReady as error:
        sys.exit(f"error: {error}")
    sys.exit(not snakemake([arguments.target, *others, *options]))


if __name__ == "__main__":
    main()
