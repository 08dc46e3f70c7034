"""Slow, obvious versions of everything that vmfcore does fast.  Nothing here imports vmfcore."""

import functools
import itertools

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq, root


@functools.lru_cache(maxsize=8)
def states(n):
    """All 2^n states of n spins, not to be written to."""
    table = np.array(list(itertools.product((-1, 1), repeat=n)))
    table.flags.writeable = False
    return table


def log2cosh(x):
    return np.logaddexp(x, -x)


def network_averages(couplings, visible_fields, hidden_fields):
    """ln Z, <sigma>, <h>, <sigma h> of an RBM by the sum over all states of both layers."""
    n_visible, n_hidden = couplings.shape
    exponents, visible, hidden = [], [], []
    for sigma in states(n_visible):
        for h in states(n_hidden):
            exponents.append(sigma @ couplings @ h + visible_fields @ sigma + hidden_fields @ h)
            visible.append(sigma)
            hidden.append(h)
    log_z = np.logaddexp.reduce(exponents)
    p = np.exp(np.array(exponents) - log_z)
    visible, hidden = np.array(visible), np.array(hidden)
    return log_z, p @ visible, p @ hidden, np.einsum("s,si,sm->im", p, visible, hidden)


def model_log_z(weights, beta):
    """ln Z(xi) of the paper's model by the sum over visible states."""
    x = states(len(weights)) @ weights / np.sqrt(len(weights))
    return np.logaddexp.reduce(log2cosh(beta * x).sum(axis=1))


def weight_posterior(means):
    """Every (N, P) weight matrix with its probability under Q."""
    for flat in states(means.size):
        weights = flat.reshape(means.shape)
        yield weights, np.prod((1 + means * weights) / 2)


def mean_log_z(means, beta):
    """<ln Z>_Q by the sum over all weights: 2^(N P) times 2^N terms."""
    return sum(p * model_log_z(weights, beta) for weights, p in weight_posterior(means))


def log_mean_z(means, beta):
    """ln <Z>_Q by the sum over all weights."""
    return np.log(sum(p * np.exp(model_log_z(weights, beta)) for weights, p in weight_posterior(means)))


def quenched(means, beta, n_grid=81, cut=7.0):
    """E_z ln Z_dual(z) on a dense grid of z, each network by the sum over its visible states."""
    n_visible, n_hidden = means.shape
    width = np.sqrt(((1 - means**2).sum(axis=0)) / n_visible)
    grid = np.linspace(-cut, cut, n_grid)
    p = np.exp(-(grid**2) / 2)
    p /= p.sum()
    g = states(n_visible) @ means / np.sqrt(n_visible)
    total = 0.0
    for index in itertools.product(range(n_grid), repeat=n_hidden):
        z = grid[list(index)]
        total += np.prod(p[list(index)]) * np.logaddexp.reduce(log2cosh(beta * (g + width * z)).sum(axis=1))
    return total


def cavity(couplings, visible_fields, hidden_fields, n_sweeps=300):
    """Belief propagation on the edges, message by message, all at once; returns m, r, C and the Bethe ln Z."""
    n_visible, n_hidden = couplings.shape
    t = np.tanh(couplings)
    m = np.zeros((n_visible, n_hidden))  # of sigma_i without h_mu
    for _ in range(n_sweeps):
        w, chi, u = np.arctanh(t * m), np.zeros_like(m), np.zeros_like(m)
        for i, mu in np.ndindex(*m.shape):
            chi[i, mu] = hidden_fields[mu] + sum(w[j, mu] for j in range(n_visible) if j != i)
            u[i, mu] = np.arctanh(t[i, mu] * np.tanh(chi[i, mu]))
        for i, mu in np.ndindex(*m.shape):
            m[i, mu] = np.tanh(visible_fields[i] + sum(u[i, nu] for nu in range(n_hidden) if nu != mu))
    big = np.tanh(chi)
    field_v = visible_fields + u.sum(axis=1)
    field_h = hidden_fields + np.arctanh(t * m).sum(axis=0)
    correlations = (m * big + t) / (1 + m * big * t)
    edges = np.log(np.cosh(couplings)) - np.log(1 + t * m * big)
    edges += np.log(1 - (t * m) ** 2) / 2 + np.log(1 - (t * big) ** 2) / 2
    log_z = log2cosh(field_v).sum() + log2cosh(field_h).sum() + edges.sum()
    return np.tanh(field_v), np.tanh(field_h), correlations, log_z


def tap(couplings, visible_fields, hidden_fields, n_sweeps=400):
    """Equations of Thouless, Anderson and Palmer, node by node, in turn hidden and visible; m, r, C and ln Z."""
    n_visible, n_hidden = couplings.shape
    m, r = np.zeros(n_visible), np.zeros(n_hidden)
    for _ in range(n_sweeps):
        before = r.copy()
        for mu in range(n_hidden):
            field = hidden_fields[mu]
            for i in range(n_visible):
                field += couplings[i, mu] * m[i] - before[mu] * couplings[i, mu] ** 2 * (1 - m[i] ** 2)
            r[mu] = np.tanh(field)
        before = m.copy()
        for i in range(n_visible):
            field = visible_fields[i]
            for mu in range(n_hidden):
                field += couplings[i, mu] * r[mu] - before[i] * couplings[i, mu] ** 2 * (1 - r[mu] ** 2)
            m[i] = np.tanh(field)
    log_z, correlations = visible_fields @ m + hidden_fields @ r, np.empty((n_visible, n_hidden))
    for mean in (*m, *r):
        log_z -= sum(p * np.log(p) for p in ((1 + mean) / 2, (1 - mean) / 2))
    for i, mu in np.ndindex(n_visible, n_hidden):
        j, slack = couplings[i, mu], (1 - m[i] ** 2) * (1 - r[mu] ** 2)
        log_z += j * m[i] * r[mu] + j**2 * slack / 2
        correlations[i, mu] = m[i] * r[mu] + j * slack
    return m, r, correlations, log_z


def gaussian_average(f):
    """E f(z), z ~ Normal(0, 1), by adaptive quadrature."""
    return quad(lambda z: f(z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), -9, 9, limit=500, epsabs=1e-12)[0]


def gaussian_sum(f, cut=9.0, n_grid=200_001):
    """The same for functions that change too quickly for quadrature: a sum over a grid finer than any of them."""
    z = np.linspace(-cut, cut, n_grid)
    p = np.exp(-(z**2) / 2)
    return f(z) @ p / p.sum()


def field_with_reaction(field, variance):
    """The y of y + v tanh y = x."""
    bound = abs(field) + variance + 1
    return brentq(lambda y: y + variance * np.tanh(y) - field, -bound, bound, xtol=1e-15, rtol=1e-15)


def data_term(spins, means, beta):
    """Sum over data and hidden units of the Gaussian average of ln 2cosh, one integral each."""
    n_visible, n_hidden = means.shape
    total = 0.0
    for sigma in spins:
        for mu in range(n_hidden):
            g = sum(means[i, mu] * sigma[i] for i in range(n_visible)) / np.sqrt(n_visible)
            width = np.sqrt(sum(1 - means[i, mu] ** 2 for i in range(n_visible)) / n_visible)
            total += gaussian_average(lambda z, g=g, width=width: log2cosh(beta * (g + width * z)))
    return total


def data_term_tap(spins, means, beta):
    """The same with the reaction of each sample: entropy of h, its energy and the correction, at r = tanh y."""
    total = 0.0
    for sigma in spins:
        for column in means.T:
            field, variance = beta * sigma @ column / np.sqrt(len(column)), beta**2 * np.mean(1 - column**2)
            y = field_with_reaction(field, variance)
            r = np.tanh(y)
            total += log2cosh(y) - y * r + field * r + variance * (1 - r * r) / 2
    return total


def kl(means, prior_mean):
    total = 0.0
    for mean in means.ravel():
        for sign in (-1, 1):
            p = (1 + sign * mean) / 2
            total += p * np.log(p / ((1 + sign * prior_mean) / 2))
    return total


def derivative(f, x, step=2e-4):
    """df/dx at every entry of x by central differences of fourth order."""
    out = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[index] = step
        out[index] = (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * step)
    return out


def overlap(estimate, teacher):
    """Best matching over all permutations, in the teacher's order."""
    n_hidden = teacher.shape[1]
    best = None
    for order in itertools.permutations(range(n_hidden)):
        q = [abs(teacher[:, nu] @ estimate[:, order[nu]]) / len(teacher) for nu in range(n_hidden)]
        best = q if best is None or sum(q) > sum(best) else best
    return np.array(best)


def visible_distribution(weights, beta):
    """Probability of every visible state of the paper's model."""
    x = states(len(weights)) @ weights / np.sqrt(len(weights))
    log_p = log2cosh(beta * x).sum(axis=1)
    return np.exp(log_p - np.logaddexp.reduce(log_p))


def bayes_optimal(alpha, beta, n_iter=3000):
    """Q of the replica-symmetric equations by iteration from 1, integrals by adaptive quadrature."""

    def t(a):
        return gaussian_average(lambda z: np.tanh(a + np.sqrt(a) * z))

    q = 1.0
    for _ in range(n_iter):
        new = t(alpha * beta**2 * t(beta**2 * q))
        if abs(new - q) < 1e-12:
            break
        q = new
    return q


def correlated_overlap(alpha, beta, q, q_student, n_iter=400, cut=6.0, n_grid=201):
    """Two correlated hidden units: matrix state evolution with full 2 x 2 matrices, all sums on one dense grid."""
    s = states(2)
    product = s[:, 0] * s[:, 1]
    grid = np.linspace(-cut, cut, n_grid)
    z = np.array(list(itertools.product(grid, grid)))
    w = np.exp(-(z**2).sum(axis=1) / 2)
    w /= w.sum()

    def averages(gain, covariance, coupling, teacher_weights):
        values, vectors = np.linalg.eigh(covariance)
        noise = z @ (vectors * np.sqrt(np.maximum(values, 0))).T
        m, square, pair, sign = np.zeros((2, 2)), np.zeros((2, 2)), 0.0, np.zeros((2, 2))
        for t, weight in zip(s, teacher_weights, strict=True):
            exponents = (gain @ t + noise) @ s.T + coupling * product
            p = np.exp(exponents - exponents.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            x = p @ s
            m += weight * np.outer(w @ x, t)
            square += weight * (x.T * w) @ x
            pair += weight * (w @ (p @ product))
            sign += weight * np.outer(w @ np.sign(x), t)
        return m, square, pair, sign

    visible = (1 + q * product) / 4
    hidden = np.exp(beta**2 * q * product)
    hidden /= hidden.sum()
    m, square, pair, field = np.array([[1.0, q], [q, 1.0]]), np.array([[1.0, q], [q, 1.0]]), q, 0.0
    for _ in range(n_iter):
        before = m
        r, r_square, r_pair, _ = averages(beta**2 * m, beta**2 * square, beta**2 * (pair - square[0, 1]), hidden)
        field = 0.5 * field + 0.5 * alpha * beta**2 * (r_pair - r_square[0, 1] - np.tanh(beta**2 * pair))
        k = alpha * beta**2
        m, square, pair, sign = averages(k * r, k * r_square, np.arctanh(q_student) + field, visible)
        if np.abs(m - before).max() < 1e-8:
            break
    return {
        "means_overlap": m[0, 0],
        "cross_overlap": m[0, 1],
        "mean_square": square[0, 0],
        "sign_overlap": sign[0, 0],
    }


def data_term_exact(spins, means, beta):
    """Sum over data and hidden units of <ln 2cosh beta X>_Q by the sum over all states of one column of synapses."""
    total = 0.0
    for column in means.T:
        for weights in states(len(column)):
            p = np.prod((1 + column * weights) / 2)
            total += p * log2cosh(beta * spins @ weights / np.sqrt(len(column))).sum()
    return total


def posterior(spins, n_hidden, beta, site_prior):
    """ln P(data) and posterior means by the sum over all weights; site_prior(synapses of one site) is a probability."""
    n_visible = spins.shape[1]
    logs, all_weights = [], []
    for flat in states(n_visible * n_hidden):
        weights = flat.reshape(n_visible, n_hidden)
        log_p = sum(np.log(site_prior(site)) for site in weights) - len(spins) * model_log_z(weights, beta)
        logs.append(log_p + log2cosh(beta * spins @ weights / np.sqrt(n_visible)).sum())
        all_weights.append(weights)
    log_evidence = np.logaddexp.reduce(logs)
    return log_evidence, np.tensordot(np.exp(np.array(logs) - log_evidence), np.array(all_weights), axes=1)


def average_over(states_, log_weights):
    """Means and second moments of spins with the given log-weights of all their states."""
    p = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    return p @ states_, np.einsum("s,sp,sq->pq", p, states_, states_)


def pair_energy(matrix, x):
    return sum(matrix[a, b] * x[a] * x[b] for a in range(len(x)) for b in range(a))


def infer_weights(spins, means, beta, site_prior, n_sweeps):
    """Message passing between data and synapses from the given means, sample by sample and site by site."""
    n_hidden = means.shape[1]
    s = states(n_hidden)
    prior = np.log([site_prior(x) for x in s])
    m0, moments = average_over(s, prior)
    moments = moments - np.outer(m0, m0) + means.T @ means / spins.shape[1]
    np.fill_diagonal(moments, 1.0)
    r = np.zeros((len(spins), n_hidden))
    for _ in range(n_sweeps):
        means, r, moments = infer_sweep(spins, (means, r, moments), beta, prior)
    return means


def infer_sweep(spins, state, beta, prior):
    """One sweep; the fields on pairs are found by a general solver of equations."""
    means, r, moments = state
    (n_samples, n_visible), n_hidden = spins.shape, means.shape[1]
    s, alpha = states(n_hidden), n_samples / n_visible
    variance = moments - means.T @ means / n_visible
    r, old, second = np.empty_like(r), r, np.zeros((n_hidden, n_hidden))
    for a in range(n_samples):
        field = beta / np.sqrt(n_visible) * spins[a] @ means - beta**2 * variance @ old[a]
        r[a], hh = average_over(s, np.array([field @ x + beta**2 * pair_energy(variance, x) for x in s]))
        second += hh / n_samples
    slack = second - r.T @ r / n_samples

    def answer(pair_field):
        new, moments = np.empty_like(means), np.zeros((n_hidden, n_hidden))
        for i in range(n_visible):
            field = beta / np.sqrt(n_visible) * spins[:, i] @ r - alpha * beta**2 * slack @ means[i]
            new[i], xx = average_over(s, np.array([field @ x + pair_energy(pair_field, x) for x in s]) + prior)
            moments += xx / n_visible
        return new, moments

    below = np.tril_indices(n_hidden, -1)
    pair_field = np.zeros((n_hidden, n_hidden))

    def gap(entries):
        pair_field[below] = entries
        _, moments = answer(pair_field)
        _, model = average_over(s, np.array([beta**2 * pair_energy(moments, x) for x in s]))
        return (pair_field - alpha * beta**2 * (slack - model))[below]

    if n_hidden > 1:
        pair_field[below] = root(gap, np.zeros(len(below[0])), tol=1e-13).x
    new, moments = answer(pair_field)
    return new, r, moments


def free_entropy(alpha, beta):
    """The replica-symmetric free entropy, integrals by adaptive quadrature."""
    q = bayes_optimal(alpha, beta)
    b = beta**2
    kappa = alpha * b * gaussian_average(lambda z: np.tanh(b * q + beta * np.sqrt(q) * z))
    sites = gaussian_average(lambda z: log2cosh(kappa + np.sqrt(kappa) * z)) - kappa * (1 + q) / 2
    samples = gaussian_average(lambda z: log2cosh(b * q + beta * np.sqrt(q) * z)) - np.log(2)
    return sites + alpha * (samples - b * q / 2)


def quenched_gradient(spins, means, beta, n_z, n_sweeps, seed):
    """Gradient of bound + KL with the paper's model term: Monte-Carlo over z, message passing for all z at once."""
    (n_samples, n_visible), n_hidden = spins.shape, means.shape[1]
    scale, width = beta / np.sqrt(n_visible), np.sqrt(np.mean(1 - means**2, axis=0))
    z = np.random.default_rng(seed).normal(size=(n_z, n_hidden))
    local = beta * (spins @ means / np.sqrt(n_visible) + width * z[:, None])  # (n_z, M, P)
    gradient = scale * spins.T @ np.tanh(local).mean(axis=0)
    gradient -= scale**2 * means * (1 - np.tanh(local) ** 2).mean(axis=0).sum(axis=0)
    t, b, m = np.tanh(scale * means), beta * width * z, np.zeros((n_z, n_visible, n_hidden))
    for _ in range(n_sweeps):
        w = np.arctanh(t * m)
        chi = b[:, None] + w.sum(axis=1, keepdims=True) - w
        u = np.arctanh(t * np.tanh(chi))
        m = np.tanh(u.sum(axis=2, keepdims=True) - u)
    big = np.tanh(chi)
    correlations = (m * big + t) / (1 + m * big * t)
    r = np.tanh(b + np.arctanh(t * m).sum(axis=1))
    model = scale * (correlations - means / np.sqrt(n_visible) * (z * r / width)[:, None]).mean(axis=0)
    return gradient - n_samples * model


def machine_couplings(weights, beta):
    """J of a machine with an inverse temperature for each hidden unit."""
    couplings = np.empty(weights.shape)
    for i, mu in np.ndindex(*weights.shape):
        couplings[i, mu] = beta[mu] * weights[i, mu] / np.sqrt(len(weights))
    return couplings


def visible_log_probabilities(couplings, visible_fields, hidden_fields):
    """ln P(sigma) of all visible states by the sum over all states of both layers."""
    all_hidden = states(couplings.shape[1])
    energies = [
        [sigma @ couplings @ h + visible_fields @ sigma + hidden_fields @ h for h in all_hidden]
        for sigma in states(len(couplings))
    ]
    logs = np.logaddexp.reduce(energies, axis=1)
    return logs - np.logaddexp.reduce(logs)


def gibbs_sweep(couplings, visible_fields, hidden_fields, hidden, visible_draws, hidden_draws, scales=(1, 1)):
    """New visible and then new hidden spins, one at a time, with the given uniform numbers; fields on the hidden."""
    n_visible, n_hidden = couplings.shape
    spins, exerted, new = np.empty(visible_draws.shape), np.empty(hidden.shape), np.empty(hidden.shape)
    for k in range(len(hidden)):
        for i in range(n_visible):
            field = visible_fields[i] + scales[0] * sum(couplings[i, mu] * hidden[k, mu] for mu in range(n_hidden))
            spins[k, i] = 1 if visible_draws[k, i] < 1 / (1 + np.exp(-2 * field)) else -1
        for mu in range(n_hidden):
            exerted[k, mu] = hidden_fields[mu] + sum(couplings[i, mu] * spins[k, i] for i in range(n_visible))
            new[k, mu] = 1 if hidden_draws[k, mu] < 1 / (1 + np.exp(-2 * scales[1] * exerted[k, mu])) else -1
    return spins, exerted, new


def rung_log_weight(s, offsets, spins, couplings, visible_fields, hidden_fields, log_weights, fields):
    """ln f_s of one state of the visible spins on the path from a mixture to a network, term by term."""
    of_mixture = []
    for k in range(len(log_weights)):
        log_joint = log_weights[k]
        for i in range(len(spins)):
            log_joint += fields[k, i] * spins[i] - np.log(2 * np.cosh(fields[k, i]))
        of_mixture.append(offsets[k] + (1 - s) * log_joint)
    total = np.log(sum(np.exp(x) for x in of_mixture))
    total += s * sum(visible_fields[i] * spins[i] for i in range(len(spins)))
    for mu in range(len(hidden_fields)):
        field = hidden_fields[mu] + sum(couplings[i, mu] * spins[i] for i in range(len(spins)))
        total += np.log(2 * np.cosh(s * field))
    return total


def autocorrelation(couplings, visible_fields, hidden_fields, n_lags):
    """C(t) of block-Gibbs sweeps in equilibrium, from the matrix of their transitions between all visible states."""
    visible, hidden = states(len(couplings)), states(couplings.shape[1])
    p_hidden = np.array([np.prod((1 + hidden * np.tanh(hidden_fields + s @ couplings)) / 2, axis=1) for s in visible])
    p_visible = np.array([np.prod((1 + visible * np.tanh(visible_fields + couplings @ h)) / 2, axis=1) for h in hidden])
    p = np.exp(visible_log_probabilities(couplings, visible_fields, hidden_fields))
    apart = ((p @ visible) ** 2).mean()
    out, later = [], visible
    for _ in range(n_lags):
        out.append((p @ (visible * later)).mean())
        later = p_hidden @ (p_visible @ later)
    return (np.array(out) - apart) / (1 - apart)


def annealed_log_weight(couplings, visible_fields, hidden_fields, base, path, visited):
    """ln w of one chain of annealed importance sampling that visited these visible states."""
    total = 0.0
    for before, after, sigma in zip(path[:-1], path[1:], visited, strict=True):
        for sign, s in ((-1, before), (1, after)):
            x = s * (hidden_fields + sigma @ couplings)
            total += sign * (((1 - s) * base + s * visible_fields) @ sigma + log2cosh(x).sum())
    return total


def machine_bound(spins, means, beta, visible_fields, hidden_fields, prior_mean=0.0):
    """E_Q ln P(data | xi) - KL, and the same with ln <Z>_Q, of a machine with fields: sums over all synapses."""
    data_term, log_z, mean_z = 0.0, 0.0, 0.0
    all_visible = states(len(means))
    for weights, p in weight_posterior(means):
        couplings = machine_couplings(weights, beta)

        def log_weights(sigma, couplings=couplings):
            return sigma @ visible_fields + log2cosh(hidden_fields + sigma @ couplings).sum(axis=1)

        z = np.logaddexp.reduce(log_weights(all_visible))
        data_term, log_z, mean_z = data_term + p * log_weights(spins).sum(), log_z + p * z, mean_z + p * np.exp(z)
    rest = data_term - kl(means, prior_mean)
    return rest - len(spins) * log_z, rest - len(spins) * np.log(mean_z)


def memory_free_step(couplings, visible_fields, hidden_fields, gamma):
    """gamma(t) = A f(gamma(t-1)) with dense matrices; also chi, lambda and z/s_max^2."""
    n_visible, n_hidden = couplings.shape
    fields, sizes = np.concatenate([visible_fields, hidden_fields]), couplings.shape
    m = np.tanh(fields + gamma)
    chi = np.array([np.mean(1 - m[:n_visible] ** 2), np.mean(1 - m[n_visible:] ** 2)])
    products = couplings @ couplings.T, couplings.T @ couplings

    def traces(z):
        return [np.trace(np.linalg.inv(z * np.eye(n) - s)) / n for n, s in zip(sizes, products, strict=True)]

    edge = np.linalg.norm(couplings, 2) ** 2
    z = brentq(lambda z: z * np.prod(traces(z)) - chi.prod(), edge * (1 + 1e-9), 1e3 * (edge + 1) / chi.prod())
    lambdas = chi[::-1] / traces(z)[::-1]
    d, big_lambda = np.repeat(chi, sizes), np.repeat(lambdas, sizes)
    j = np.block([[np.zeros((n_visible, n_visible)), couplings], [couplings.T, np.zeros((n_hidden, n_hidden))]])
    a = np.diag(1 / d) @ np.linalg.inv(np.diag(big_lambda) - j) - np.eye(len(d))
    return a @ (m / d - gamma), chi, lambdas, z / edge


def next_variances(singular_values, visible_fields, hidden_fields, variances):
    """C after one step from C, and the matrix K, as theory.md writes them, by Gauss-Hermite quadrature."""
    sizes, nodes = (len(visible_fields), len(hidden_fields)), np.polynomial.hermite_e.hermegauss(150)
    weights = nodes[1] / nodes[1].sum()
    tanh2 = [
        np.tanh(h[:, None] + np.sqrt(c) * nodes[0]) ** 2
        for h, c in zip((visible_fields, hidden_fields), variances, strict=True)
    ]
    chi = np.array([1 - (t @ weights).mean() for t in tanh2])
    spectra = [np.concatenate([singular_values**2, np.zeros(n - len(singular_values))]) for n in sizes]
    edge = max(singular_values) ** 2
    z = brentq(
        lambda z: z * np.prod([np.mean(1 / (z - s)) for s in spectra]) - chi.prod(), edge * (1 + 1e-9), 1e3 * (edge + 1)
    )
    a = np.empty((2, 2))
    for k in (0, 1):
        other = chi[k] / np.mean(1 / (z - spectra[k]))  # lambda of the other layer
        a[k, k] = other**2 * np.mean((z - spectra[k]) ** -2.0) / chi[k] ** 2 - 1
        a[k, 1 - k] = np.mean(spectra[k] * (z - spectra[k]) ** -2.0) / chi[k] ** 2
    kappa = np.array([((1 - t) ** 2 @ weights).mean() for t in tanh2]) / chi**2 - 1
    return a @ ((1 - chi) / chi**2 - variances), a * kappa


def echo_rate(couplings, visible_fields, hidden_fields, state):
    """Rate of the squared increments with fixed χ and λ, by dense matrices and differences, with f in place of F."""
    sizes = np.array(couplings.shape)
    chi, precisions = (np.repeat(x, sizes) for x in (state.susceptibilities, state.precisions))
    zeros = [np.zeros((n, n)) for n in sizes]
    j = np.block([[zeros[0], couplings], [couplings.T, zeros[1]]])
    a = np.linalg.inv(np.diag(precisions) - j) / chi[:, None] - np.eye(sizes.sum())
    cuts = [slice(0, sizes[0]), slice(sizes[0], None)]
    a = [[a[one, other] for other in cuts] for one in cuts]
    u, weights = np.polynomial.hermite_e.hermegauss(150)

    def average(function, k, c):
        x = np.sqrt(c) * u
        field = np.array([visible_fields, hidden_fields][k], dtype=float)[:, None]
        f = np.tanh(field + x) / state.susceptibilities[k] - x
        slope = (1 - np.tanh(field + x) ** 2) / state.susceptibilities[k] - 1
        return np.mean(function(f, slope) @ weights) / weights.sum()

    of_c = [[average(lambda f, _: f**2, k, c) for k, c in enumerate(state.variances)]]
    for function in (lambda f, _: f**2, lambda _, slope: slope):
        slopes = [
            derivative(lambda c, k=k, g=function: average(g, k, c[0]), state.variances[k : k + 1]) for k in (0, 1)
        ]
        of_c.append(np.concatenate(slopes))
    square, gain, bend = of_c
    skew = [average(lambda f, slope: 2 * f**2 * slope, k, c) for k, c in enumerate(state.variances)]
    matrix = np.zeros((4, 4))
    for k in (0, 1):
        for other in (0, 1):
            one = np.sum(a[k][other] ** 2) / sizes[k]
            two = np.trace(a[k][other] @ a[other][k]) / sizes[k]
            three = sum(2 * np.trace(a[k][m].T @ a[k][other] @ a[other][m]) * square[m] for m in (0, 1)) / sizes[k]
            matrix[k, other] = one * gain[other] + three * bend[other]
            matrix[k, 2 + other] = one * skew[other] + three * gain[other]
            matrix[2 + k, other] = two * bend[other]
            matrix[2 + k, 2 + other] = two * gain[other]
    return np.abs(np.linalg.eigvals(matrix)).max() ** 2


def fixed_increments(couplings, visible_fields, hidden_fields, state, n_steps, rng):
    """Mean squared increments of γ(t) = A f(γ(t - 1)) with the χ and λ of theory, by the dense matrix A."""
    sizes = np.array(couplings.shape)
    chi, precisions = (np.repeat(x, sizes) for x in (state.susceptibilities, state.precisions))
    j = np.block([[np.zeros((sizes[0],) * 2), couplings], [couplings.T, np.zeros((sizes[1],) * 2)]])
    a = np.linalg.inv(np.diag(precisions) - j) / chi[:, None] - np.eye(sizes.sum())
    fields = np.concatenate([visible_fields, hidden_fields])
    gamma = rng.normal(size=sizes.sum()) * np.sqrt(np.repeat(state.variances, sizes))
    increments = []
    for _ in range(n_steps):
        new = a @ (np.tanh(fields + gamma) / chi - gamma)
        increments.append(np.mean((new - gamma) ** 2))
        gamma = new
    return np.array(increments)


def site_prior(prior_mean, correlation):
    """Probability of the synapses of one site: a mixture over a common spin, written out."""

    def probability(site):
        total = 0.0
        for c in (-1, 1):
            spread = [c * np.sqrt(abs(correlation))] * len(site)
            if correlation < 0:
                spread[1] *= -1
            total += 0.5 * np.prod([(1 + (prior_mean + d) * x) / 2 for d, x in zip(spread, site, strict=True)])
        return total

    return probability


def random_word(key, n):
    """Word n of the stream of a key: the finalizer of SplitMix64, in Python's integers."""
    z = (key + (n + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def uniform_numbers(key, first, n):
    """n multiples of 2^-24: the highest 24 bits of the words, then 24 lower ones of as many as are still needed."""
    words = [random_word(key, first + i) for i in range((n + 1) // 2)]
    numbers = [word >> 40 for word in words] + [(word >> 16) % 2**24 for word in words]
    return np.array(numbers[:n]) / 2**24


def signed_product(spins, matrix):
    """σ W, a sum at a time."""
    return np.array(
        [[sum(s * w for s, w in zip(sigma, column, strict=True)) for column in matrix.T] for sigma in spins]
    )


def bound_gradient(of_data, of_model, centre):
    """One synapse after the other: (a C + b λ)/(1 - λ²t²) of data and model, less what is centred."""
    total = np.zeros(of_data["means"].shape)
    for i, mu in np.ndindex(total.shape):
        for part in (of_data, of_model):
            mean = part["means"][i, mu]
            answer = part["a"][mu] * part["correlations"][i, mu] + part["b"][mu] * mean
            total[i, mu] += part["weight"] * answer / (1 - (mean * part["t"][mu]) ** 2)
        total[i, mu] -= centre["pixels"][i] * centre["hidden"][mu] + centre["visible"][i] * centre["centre"][mu]
    return total
