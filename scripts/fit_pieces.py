#!/usr/bin/env python3
"""Prints kernels/pieces_simd.h's tables: minimax polynomials (Remez exchange) on 32 pieces of a function.

Run it after a change of the pieces and paste; it needs Python alone and takes some seconds.
"""
import math
import struct

PIECES = 32


def to_float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def solve(rows, right):
    """Gaussian elimination with partial pivoting."""
    m = [row + [value] for row, value in zip(rows, right)]
    n = len(m)
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(m[r][i]))
        m[i], m[pivot] = m[pivot], m[i]
        for r in range(i + 1, n):
            factor = m[r][i] / m[i][i]
            for c in range(i, n + 1):
                m[r][c] -= factor * m[i][c]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (m[i][n] - sum(m[i][c] * x[c] for c in range(i + 1, n))) / m[i][i]
    return x


def minimax(f, scale, low, high, degree):
    """Coefficients of the polynomial p that makes the largest |p - f| / scale on [low, high] least."""
    grid = [low + (high - low) * i / 400 for i in range(401)]
    points = [(low + high) / 2 - (high - low) / 2 * math.cos(math.pi * i / (degree + 1))
              for i in range(degree + 2)]
    best_error, best = math.inf, None
    for _ in range(30):
        rows = [[x**k / scale(x) for k in range(degree + 1)] + [(-1.0)**i]
                for i, x in enumerate(points)]
        c = solve(rows, [f(x) / scale(x) for x in points])[:-1]
        errors = [(sum(a * x**k for k, a in enumerate(c)) - f(x)) / scale(x) for x in grid]
        worst = max(map(abs, errors))
        if worst < best_error:
            best_error, best = worst, c
        extrema = []  # of each run of errors with one sign
        for x, e in zip(grid, errors):
            if not extrema or (e > 0) != (extrema[-1][1] > 0):
                extrema.append([x, e])
            elif abs(e) > abs(extrema[-1][1]):
                extrema[-1] = [x, e]
        if len(extrema) != degree + 2:
            break
        points = [x for x, _ in extrema]
    return best_error, best


def print_table(name, rows, worst):
    print(f"// Error 2^{math.log2(worst):.1f}.")
    print(f"alignas(64) constexpr float {name}[][{PIECES}] = {{")
    for row in rows:
        print("{" + ", ".join(to_float32(v).hex().replace("0000000p", "p") + "f" for v in row) + "},")
    print("};")


def odd_function(name, f, at_zero, per_unit, degree):
    """f(x) = x (b + p(per_unit |x| - j)) where that product rounds to j; b is a power of two."""
    ratio = lambda a: f(a) / a if abs(a) > 1e-9 else at_zero
    columns, worst = [], 0.0
    for j in range(PIECES):
        b = 2.0**round(math.log2(ratio(j / per_unit)))
        at = lambda u, j=j: ratio((j + u) / per_unit)
        error, c = minimax(lambda u: at(u) - b, at, -0.5, 0.5, degree)
        columns.append([b] + c)
        worst = max(worst, error)
    print_table(name, zip(*columns), worst)


def normal_tail(name, degree):
    """(1 - Phi(a)) e^(a^2 / 2) = p(t - left), t = a + 1, in eighths of octaves of t from `left` on."""
    ratio = lambda a: 0.5 * math.erfc(a / math.sqrt(2)) * math.exp(a * a / 2)
    columns, worst = [None] * PIECES, 0.0
    for octave in range(PIECES // 8):
        for j in range(8):
            left, width = (1 + j / 8) * 2**octave, 2**octave / 8
            at = lambda u, left=left: ratio(left - 1 + u)
            error, c = minimax(at, at, 0.0, width, degree)
            bits = struct.unpack("I", struct.pack("f", left))[0]
            columns[(bits >> 20) % PIECES] = c
            worst = max(worst, error)
    print_table(name, zip(*columns), worst)


odd_function("kTanhPieces", math.tanh, 1.0, 3.375, 5)
odd_function("kErfPieces", math.erf, 2 / math.sqrt(math.pi), 7.75, 4)
normal_tail("kNormalTailPieces", 4)
