"""The steps of cuda_bench in PyTorch, on the same device: the plain step, and selection as the reference implementation does it.

    peer.py [--device cuda] [--quick] [--json FILE]

SGD with momentum on the mean loss; and an evaluation pass for the features, a virtual step on a second copy of the net, Gamma
there, two forwards at theta +- (0.01/|Gamma|) Gamma, AdamW on phi, the real step (bench/libtorch/peer.cpp, line for line). Sizes,
options and rates are those of bench/support/case.hpp; products are in float, without TF32; cuDNN may choose its fastest kernels.
Before anything is timed, the hypergradient by central differences is held against the one through the virtual step, in double.

Prints a JSON object a line: where it ran, then a case each. Exit status 0; 1 if something failed, 77 if there is no PyTorch or no
such device.
"""
import argparse
import json
import math
import statistics
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"no PyTorch: {error}", file=sys.stderr)
    sys.exit(77)

CLASSES, PIXELS, POOL, VALIDATION = 10, 784, 4000, 256
LEARNING_RATE, MOMENTUM, META_LEARNING_RATE = 1e-3, 0.9, 1e-4
CASES = [("mlp", 128), ("mlp", 1024), ("mlp", 4096), ("cnn", 256), ("mlp", 16384), ("mlp", 65536), ("mlp", 262144)]


class Batch:
    """N images of uniform noise with what is known of them; sample i has label i mod 10 and group (i/10) mod 2."""

    def __init__(self, net, n, device, dtype, seed):
        drawn = torch.rand((min(n, POOL), PIXELS), generator=torch.Generator().manual_seed(seed)).to(device, dtype)
        i = torch.arange(n, device=device)
        self.ids = i % POOL
        self.inputs = drawn[self.ids]  # later ones repeat
        if net == "cnn":
            self.inputs = self.inputs.view(-1, 1, 28, 28)
        self.labels, self.groups = i % CLASSES, i // CLASSES % 2


def layers_of(net):
    """Shapes of weights; a bias follows each."""
    if net == "mlp":
        return [(256, 784), (256, 256), (10, 256)]
    return [(16, 1, 3, 3), (32, 16, 3, 3), (128, 1568), (10, 128)]


def initial(shapes, device, dtype, seed):
    """He's initial weights, and biases of zero."""
    generator = torch.Generator().manual_seed(seed)
    tensors = []
    for shape in shapes:
        scale = math.sqrt(2 / math.prod(shape[1:]))
        tensors.append((scale * torch.randn(shape, generator=generator)).to(device, dtype))
        tensors.append(torch.zeros(shape[0], device=device, dtype=dtype))
    return tensors


def initial_phi(device, dtype):
    """Embeddings of class and group, then 22-100-100-1."""
    generator = torch.Generator().manual_seed(3)
    embeddings = [torch.randn(shape, generator=generator).to(device, dtype) for shape in ((CLASSES, 4), (2, 1))]
    return embeddings + initial([(100, 22), (100, 100), (1, 100)], device, dtype, 4)


def forward(net, w, x):
    """Logits and penultimate activations."""
    if net == "mlp":
        h = F.relu(F.linear(F.relu(F.linear(x, w[0], w[1])), w[2], w[3]))
        return F.linear(h, w[4], w[5]), h
    for k in (0, 2):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[k], w[k + 1], padding=1)), 2)
    h = F.relu(F.linear(x.flatten(1), w[4], w[5]))
    return F.linear(h, w[6], w[7]), h


def losses(net, w, batch):
    return F.cross_entropy(forward(net, w, batch.inputs)[0], batch.labels, reduction="none")


def leaves(tensors):
    return [t.detach().clone().requires_grad_() for t in tensors]


def z_score(x):
    return (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-8)


def unit(x):
    return x / x.norm(dim=1, keepdim=True).clamp_min(1e-6)


class Run:
    """Parameters and optimisers of one training run."""

    radius = 0.01  # of central differences

    def __init__(self, net, train, validation, offline, theta, phi):
        self.net, self.train, self.validation, self.offline = net, train, validation, offline
        self.theta, self.second, self.phi = leaves(theta), leaves(theta), leaves(phi)
        self.inner = torch.optim.SGD(self.theta, lr=LEARNING_RATE, momentum=MOMENTUM)
        self.meta = torch.optim.AdamW(self.phi, lr=META_LEARNING_RATE, weight_decay=0)

    def plain(self):
        self.inner.zero_grad()
        F.cross_entropy(forward(self.net, self.theta, self.train.inputs)[0], self.train.labels).backward()
        self.inner.step()

    def select(self):
        f = self.features()
        p = self.weights(f)
        self.meta.zero_grad()
        (p * self.difference(p.detach())).sum().mul(-LEARNING_RATE).backward()
        self.meta.step()
        self.real_step(f)

    @torch.no_grad()
    def features(self):
        """N x 17: cosines to the three nearest validation embeddings and to their centre, and what is looked up."""
        h = forward(self.net, self.theta, self.train.inputs)[1]
        v = forward(self.net, self.theta, self.validation.inputs)[1]
        h_unit = unit(h)
        nearest = (h_unit @ unit(v).t()).topk(3, dim=1).values
        centre = h_unit @ unit(v.mean(0, keepdim=True)).t()
        return torch.cat((z_score(nearest), z_score(centre), self.offline[self.train.ids]), 1)

    def weights(self, f):
        """p, differentiable in phi."""
        phi = self.phi
        x = torch.cat((f, F.embedding(self.train.labels, phi[0]), F.embedding(self.train.groups, phi[1])), 1)
        for k in (2, 4):
            x = F.relu(F.linear(x, phi[k], phi[k + 1]))
        w = torch.sigmoid(F.linear(x, phi[6], phi[7])).squeeze(1)
        return w / w.sum()

    def difference(self, p):
        """The derivatives of the training losses along Gamma, by central differences."""
        self.second_is_first()
        g = torch.autograd.grad((p * losses(self.net, self.second, self.train)).sum(), self.second)
        with torch.no_grad():
            for t, buffer in zip(self.second, self.buffers(g)):
                t.sub_(buffer, alpha=LEARNING_RATE)
        gamma = torch.autograd.grad(losses(self.net, self.second, self.validation).mean(), self.second)
        with torch.no_grad():
            # A number on the device: nothing waits for it.
            h = self.radius / torch.stack([t.square().sum() for t in gamma]).sum().sqrt()
            return (self.shifted(gamma, h) - self.shifted(gamma, -h)) / (2 * h)

    def shifted(self, gamma, h):
        self.second_is_first()
        for t, direction in zip(self.second, gamma):
            t.add_(direction * h)
        return losses(self.net, self.second, self.train)

    @torch.no_grad()
    def second_is_first(self):
        for t, x in zip(self.second, self.theta):
            t.copy_(x)

    def buffers(self, g):
        """The momentum buffers after gradients g, the optimiser's own left as they are."""
        for x, gradient in zip(self.theta, g):
            kept = self.inner.state[x].get("momentum_buffer") if x in self.inner.state else None
            yield gradient if kept is None else MOMENTUM * kept + gradient

    def real_step(self, f):
        with torch.no_grad():
            p = self.weights(f)
        self.inner.zero_grad()
        (p * losses(self.net, self.theta, self.train)).sum().backward()
        self.inner.step()

    def hypergradients(self):
        """d L_val(theta_v)/d phi by central differences, and through the virtual step."""
        f = self.features()
        p = self.weights(f)
        central = torch.autograd.grad(-LEARNING_RATE * (p * self.difference(p.detach())).sum(), self.phi)
        p = self.weights(f)
        g = torch.autograd.grad((p * losses(self.net, self.theta, self.train)).sum(), self.theta, create_graph=True)
        moved = [x - LEARNING_RATE * b for x, b in zip(self.theta, self.buffers(g))]
        through = torch.autograd.grad(losses(self.net, moved, self.validation).mean(), self.phi)
        return [torch.cat([t.flatten() for t in x]) for x in (central, through)]


def make_run(net, n, device, dtype=torch.float32, validation=VALIDATION):
    train, validation = (Batch(net, size, device, dtype, seed) for size, seed in ((n, 1), (validation, 2)))
    offline = torch.randn((POOL, 13), generator=torch.Generator().manual_seed(5)).to(device, dtype)
    return Run(net, train, validation, offline, initial(layers_of(net), device, dtype, 6), initial_phi(device, dtype))


def check(device):
    """Raises unless both hypergradients agree, at the first step and at one with momentum."""
    for net in ("mlp", "cnn"):
        run = make_run(net, 48, device, torch.float64, 16)
        run.radius = 1e-6  # hardly a sample has a ReLU or a maximum that turns within it
        for _ in range(2):
            central, through = run.hypergradients()
            error = ((central - through).abs().max() / through.abs().max()).item()
            if not error < 1e-5:
                raise ValueError(f"{net}: hypergradients: expected a difference of at most 1e-5 of the largest, found {error}")
            run.select()


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def by_turns(steps, device, seconds, turn, rounds):
    """Seconds of a step, in each round, for each of the steps. A turn begins and ends with a wait for the device."""
    counts = []
    for step in steps:
        begin = time.perf_counter()
        last, warm = 0.0, 0
        while warm < 3 or (warm < 30 and time.perf_counter() - begin < turn):
            before = time.perf_counter()
            step()
            wait(device)
            last, warm = time.perf_counter() - before, warm + 1
        counts.append(min(max(int(turn / last), 1), 1000))
    taken = [[] for _ in steps]
    end = time.perf_counter() + seconds
    while len(taken[0]) < rounds or time.perf_counter() < end:
        for step, count, found in zip(steps, counts, taken):
            wait(device)
            begin = time.perf_counter()
            for _ in range(count):
                step()
            wait(device)
            found.append((time.perf_counter() - begin) / count)
    return taken


def measure(net, n, device, limits):
    plain_run, select_run = make_run(net, n, device), make_run(net, n, device)
    plain, select = by_turns((plain_run.plain, select_run.select), device, **limits)
    told = {"case": f"{net}/{n}", "rounds": len(plain)}
    for name, found in (("plain", plain), ("mts", select)):
        told |= {f"{name}_ms": 1e3 * statistics.median(found), f"{name}_least_ms": 1e3 * min(found),
                 f"{name}_most_ms": 1e3 * max(found)}
    told["overhead"] = statistics.median(b / a for a, b in zip(plain, select))
    return told


def describe(device):
    where = {"peer": f"PyTorch {torch.__version__}", "device": "CPU", "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if device.type == "cuda":
        p = torch.cuda.get_device_properties(device)
        where |= {"device": p.name, "compute capability": f"{p.major}.{p.minor}", "runtime": f"CUDA {torch.version.cuda}",
                  "cuDNN": str(torch.backends.cudnn.version()), "tf32": torch.backends.cuda.matmul.allow_tf32}
    return where


def main():
    options = argparse.ArgumentParser(description="The steps of cuda_bench in PyTorch.")
    options.add_argument("--device", default="cuda", help="as PyTorch calls it: cuda, cuda:1, cpu")
    options.add_argument("--quick", action="store_true", help="fewer rounds")
    options.add_argument("--json", help="also write the lines to this file")
    options.add_argument("--largest", type=int, default=1 << 62, help="leave out batches that are larger")
    chosen = options.parse_args()
    device = torch.device(chosen.device)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        print(f"no device: PyTorch {torch.__version__} finds no {chosen.device}", file=sys.stderr)
        return 77
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    limits = {"seconds": 0.5, "turn": 0.02, "rounds": 3} if chosen.quick else {"seconds": 3, "turn": 0.05, "rounds": 5}
    lines = [describe(device)]
    print(json.dumps(lines[0]), flush=True)
    check(device)
    for net, n in CASES:
        if n > chosen.largest:
            continue
        try:
            lines.append(measure(net, n, device, limits))
        except RuntimeError as error:
            if "out of memory" not in str(error):
                raise
            lines.append({"case": f"{net}/{n}", "not_measured": "out of memory"})
        if device.type == "cuda":
            torch.cuda.empty_cache()
        print(json.dumps(lines[-1]), flush=True)
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
