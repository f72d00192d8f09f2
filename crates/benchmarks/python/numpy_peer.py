"""NumPy: the gradients by hand, dense and masked, every product into a buffer that is there already."""

import numpy as np

from protocol import Problem, named, serve


class Peer:
    def __init__(self, question):
        self.problem = problem = Problem(question)
        factors = problem.factors
        self.products = [factors[0]] + [np.empty((f.shape[0], factors[0].shape[1])) for f in factors[1:-1]]
        self.pulled = [np.empty_like(product) for product in self.products]
        self.gradients = {i: np.empty_like(factors[i]) for i in problem.moving}
        self.residual = np.empty_like(problem.target)

    def loss_and_gradients(self):
        """The loss; the gradients are left without their common weight."""
        problem, residual, products = self.problem, self.residual, self.products
        factors, last = problem.factors, len(problem.factors) - 1
        for l in range(1, last):
            np.matmul(factors[l], products[l - 1], out=products[l])
        np.matmul(factors[last], products[last - 1], out=residual)
        residual -= problem.target
        if problem.mask is not None:
            residual *= problem.mask
        loss = problem.weight / 2 * np.vdot(residual, residual)
        pulled = residual
        for l in range(last, 0, -1):
            if l in self.gradients:
                np.matmul(pulled, products[l - 1].T, out=self.gradients[l])
            if problem.moving[0] < l:
                pulled = np.matmul(factors[l].T, pulled, out=self.gradients.get(0) if l == 1 else self.pulled[l - 1])
        return loss

    def evaluate(self):
        loss = self.loss_and_gradients()
        return float(loss), named({i: gradient * self.problem.weight for i, gradient in self.gradients.items()})

    def run(self, iterations):
        problem = self.problem
        for _ in range(iterations):
            self.loss_and_gradients()
            for i, gradient in self.gradients.items():
                gradient *= problem.steps[i] * problem.weight
                problem.factors[i] -= gradient


serve("NumPy", np.__version__, Peer)
