"""`pandatui doctor` and `pandatui completion`: what training runs on, and help for the shell."""

import click


@click.command()
def doctor() -> None:
    """Say what training runs on: versions, BLAS, kernel, threads."""
    from pandatui import __version__, report
    from pandatui.cli_sessions import folder_of
    from pandatui.plain import plain
    from pandatui.training.environment import describe, other_kernels, pin_blas

    pin_blas()
    facts = {"pandatui": __version__, **describe(), "sessions": folder_of(None)}
    report.put("\n".join(f"{name:<10}{plain(str(value), 300)}" for name, value in facts.items()))
    if others := other_kernels():
        report.put(f"{'others':<10}{', '.join(others)}")
        report.put(
            f"\nAnother kernel may train faster or slower on this processor, and gives other bits:\n"
            f"OPENBLAS_CORETYPE={others[0]} pandatui …"
        )


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script, to be evaluated by SHELL."""
    from click.shell_completion import get_completion_class

    from pandatui import report

    found = get_completion_class(shell)
    assert found is not None
    report.put(found(ctx.find_root().command, {}, "pandatui", "_PANDATUI_COMPLETE").source())
