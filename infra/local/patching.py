"""How an extension changes MiniStack: by name, and never silently."""

import inspect


def replace(module, name, parameters, make):
    """Put `make(original)` in the place of `module.name`.

    Raises at start when the function is gone or takes other parameters, since a patch that patches nothing would show
    only much later, as a run that never ends.
    """
    where = f"{module.__name__}.{name}"
    original = getattr(module, name, None)
    if original is None:
        raise RuntimeError(f"{where} no longer exists: see what upstream made of it, then adapt or drop the extension.")
    found = list(inspect.signature(original).parameters)
    if found[: len(parameters)] != list(parameters):
        raise RuntimeError(f"{where} takes ({', '.join(found)}), the extension expects ({', '.join(parameters)}).")
    setattr(module, name, make(original))
