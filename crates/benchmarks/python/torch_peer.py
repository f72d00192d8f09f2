"""PyTorch in f64: autograd through the masked loss, the update in place."""

import torch

from protocol import Problem, named, serve, threads

torch.set_num_threads(threads())


class Peer:
    def __init__(self, question):
        self.problem = problem = Problem(question)
        self.target = torch.from_numpy(problem.target)
        self.mask = None if problem.mask is None else torch.from_numpy(problem.mask)
        self.factors = [torch.from_numpy(factor) for factor in problem.factors]
        self.moving = [self.factors[i].requires_grad_() for i in problem.moving]

    def loss_and_gradients(self):
        product = self.factors[0]
        for factor in self.factors[1:]:
            product = factor @ product
        residual = product - self.target
        if self.mask is not None:
            residual = self.mask * residual
        loss = self.problem.weight / 2 * residual.square().sum()
        return loss, torch.autograd.grad(loss, self.moving)

    def evaluate(self):
        loss, gradients = self.loss_and_gradients()
        return loss.item(), named({i: g.numpy().copy() for i, g in zip(self.problem.moving, gradients)})

    def run(self, iterations):
        steps = [self.problem.steps[i] for i in self.problem.moving]
        for _ in range(iterations):
            _, gradients = self.loss_and_gradients()
            with torch.no_grad():
                for factor, gradient, step in zip(self.moving, gradients, steps):
                    factor.sub_(gradient, alpha=step)


serve("PyTorch", torch.__version__, Peer)
