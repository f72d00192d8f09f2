"""JAX on the processor in f64: value_and_grad of the masked loss and the update in one compiled step, buffers donated."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import jax.numpy as jnp
import numpy as np

from protocol import Problem, named, serve


class Peer:
    def __init__(self, question):
        problem = Problem(question)
        factors = [jnp.asarray(factor) for factor in problem.factors]
        self.places = problem.moving
        self.moving = tuple(factors[i] for i in problem.moving)
        fixed = {i: factor for i, factor in enumerate(factors) if i not in problem.moving}
        self.data = (fixed, jnp.asarray(problem.target), None if problem.mask is None else jnp.asarray(problem.mask))

        def loss_of(moving, fixed, target, mask):
            chain = fixed | dict(zip(problem.moving, moving))
            product = chain[0]
            for i in range(1, len(chain)):
                product = chain[i] @ product
            residual = product - target
            if mask is not None:
                residual = mask * residual
            return problem.weight / 2 * jnp.sum(residual**2)

        def step(moving, *data):
            loss, gradients = jax.value_and_grad(loss_of)(moving, *data)
            steps = [problem.steps[i] for i in problem.moving]
            return tuple(w - step * g for w, g, step in zip(moving, gradients, steps)), loss

        self.loss_and_gradients = jax.jit(jax.value_and_grad(loss_of))
        self.step = jax.jit(step, donate_argnums=0)

    def evaluate(self):
        loss, gradients = self.loss_and_gradients(self.moving, *self.data)
        return float(loss), named({i: np.asarray(gradient) for i, gradient in zip(self.places, gradients)})

    def run(self, iterations):
        for _ in range(iterations):
            self.moving, loss = self.step(self.moving, *self.data)
        jax.block_until_ready((self.moving, loss))


serve("JAX", jax.__version__, Peer)
