"""scipy.sparse, as a careful user would: the residual only where it is observed, gradients by products with it.

The entries of the product are sampled from gathered rows of its two halves, or from the whole product where that is
faster (long rows); which, is tried out on the problem itself.
"""

import time

import numpy as np
import scipy
from scipy.sparse import csr_matrix

from protocol import Problem, named, serve

# Numbers gathered at a time: more would not stay in the caches.
GATHERED = 1 << 20


class Peer:
    def __init__(self, question):
        self.problem = problem = Problem(question)
        self.rows, self.columns = np.nonzero(problem.mask)
        self.values = problem.target[self.rows, self.columns]
        self.flat = self.rows * problem.target.shape[1] + self.columns
        shape = problem.target.shape
        self.residual = csr_matrix((np.zeros_like(self.values), (self.rows, self.columns)), shape=shape)
        self.dense = np.empty(shape)
        self.gradients = {}
        self.sample = self.faster_sample()

    def halves(self):
        """The last factor, and the product of all others with their partial products."""
        products = [self.problem.factors[0]]
        for factor in self.problem.factors[1:-1]:
            products.append(factor @ products[-1])
        return self.problem.factors[-1], products

    def gathered(self, left, right):
        right = np.ascontiguousarray(right.T)
        entries = np.empty_like(self.values)
        chunk = max(GATHERED // left.shape[1], 1)
        for start in range(0, len(entries), chunk):
            part = slice(start, start + chunk)
            np.einsum("ij,ij->i", left[self.rows[part]], right[self.columns[part]], out=entries[part])
        return entries

    def taken(self, left, right):
        np.matmul(left, right, out=self.dense)
        return self.dense.ravel()[self.flat]

    def faster_sample(self):
        left, products = self.halves()

        def seconds(sample):
            times = []
            for _ in range(10):
                start = time.perf_counter()
                sample(left, products[-1])
                times.append(time.perf_counter() - start)
            return min(times)

        return min([self.gathered, self.taken], key=seconds)

    def loss_and_gradients(self):
        """The loss; the gradients are left without their common weight."""
        problem, factors = self.problem, self.problem.factors
        left, products = self.halves()
        residual = self.residual
        np.subtract(self.sample(left, products[-1]), self.values, out=residual.data)
        loss = problem.weight / 2 * np.vdot(residual.data, residual.data)
        last = len(factors) - 1
        if last in problem.moving:
            self.gradients[last] = residual @ np.ascontiguousarray(products[-1].T)
        pulled = (residual.T @ left).T
        for l in range(last - 1, 0, -1):
            if l in problem.moving:
                self.gradients[l] = pulled @ products[l - 1].T
            if problem.moving[0] < l:
                pulled = factors[l].T @ pulled
        if 0 in problem.moving:
            self.gradients[0] = pulled
        return loss

    def evaluate(self):
        loss = self.loss_and_gradients()
        scaled = {i: np.ascontiguousarray(gradient) * self.problem.weight for i, gradient in self.gradients.items()}
        return float(loss), named(scaled)

    def run(self, iterations):
        problem = self.problem
        for _ in range(iterations):
            self.loss_and_gradients()
            for i, gradient in self.gradients.items():
                gradient *= problem.steps[i] * problem.weight
                problem.factors[i] -= gradient


serve("scipy.sparse", scipy.__version__, Peer)
