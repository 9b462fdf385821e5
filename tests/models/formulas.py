# SPDX-License-Identifier: Apache-2.0
"""What the attention networks of examples/models compute, from the papers' formulas: in double
precision, with token places instead of reshapes and transposes. Only the weights come from the
model file, by name. Each function takes (w, inputs, c): weights, inputs by name, numbers of the
variant; and gives the results by name."""

import math

import numpy as np

erf = np.vectorize(math.erf)


def norm(w, name, x, epsilon=1e-6):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + epsilon)
    return scaled * w[name + ".weight"] + w[name + ".bias"]


def linear(w, name, x):
    """Matrices are [in, out] under MatMul."""
    return x @ w[name + ".weight"] + w.get(name + ".bias", 0)


def head(w, name, x):
    """Matrices are [out, in] under Gemm."""
    return w[name + ".weight"] @ x + w[name + ".bias"]


def gelu(x):
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def mlp(w, name, x):
    return linear(w, name + "/fc2", gelu(linear(w, name + "/fc1", x)))


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, heads, allowed=None, bias=None):
    """q[n, width], k and v[m, width]: every head on its own columns; allowed[n, m]; bias[head, n, m]."""
    size, out = q.shape[1] // heads, np.zeros((len(q), v.shape[1]))
    for h in range(heads):
        at = slice(h * size, (h + 1) * size)
        s = q[:, at] @ k[:, at].T / math.sqrt(size)
        s = s if bias is None else s + bias[h]
        s = s if allowed is None else np.where(allowed, s, -np.inf)
        out[:, at] = softmax(s) @ v[:, at]
    return out


def places(side):
    """Row and column of every token."""
    return np.divmod(np.arange(side * side), side)


def patches(w, name, image, stride, pad=0):
    """A convolution of one image[channels, rows, columns] as tokens[places, channels], place by place."""
    kernel = w[name + ".weight"]
    size = kernel.shape[2]
    x = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    side = (x.shape[1] - size) // stride + 1
    return np.array([np.tensordot(kernel, x[:, y * stride:y * stride + size, z * stride:z * stride + size], 3)
                     for y in range(side) for z in range(side)]) + w[name + ".bias"]


def image_of(x):
    side = math.isqrt(len(x))
    return x.T.reshape(-1, side, side)


def near_sum(w, name, x, rows, columns, group):
    """A depthwise 3 x 3 convolution of tokens x, where only places of one group are seen."""
    kernel, bias = w[name + ".weight"][:, 0], w[name + ".bias"]
    out = np.tile(bias, (len(x), 1)).astype(float)
    for i in range(len(x)):
        for j in range(len(x)):
            dy, dx = rows[j] - rows[i], columns[j] - columns[i]
            if abs(dy) <= 1 and abs(dx) <= 1 and group[i] == group[j]:
                out[i] += kernel[:, dy + 1, dx + 1] * x[j]
    return out


def vit(w, inputs, c):
    x = patches(w, "patch_embed", inputs["input"][0], c.patch)
    x = np.concatenate([w["cls_token"][0], x]) + w["pos_embed"][0]
    for i in range(c.blocks):
        name = f"blocks.{i}"
        qkv = linear(w, name + "/attn/qkv", norm(w, name + "/norm1", x))
        x = x + linear(w, name + "/attn/proj", attend(*np.split(qkv, 3, 1), c.heads))
        x = x + mlp(w, name + "/mlp", norm(w, name + "/norm2", x))
    return {"output": head(w, "head", norm(w, "norm", x)[0])[None]}


def swin_attention(w, name, x, side, window, shift, heads):
    """Tokens see those of their shifted window that are also near: not brought there by the wrap."""
    y, z = places(side)
    cell = (y - shift) % side // window * side + (z - shift) % side // window
    dy, dz = y[:, None] - y, z[:, None] - z
    near = (abs(dy) < window) & (abs(dz) < window)
    allowed = (cell[:, None] == cell) & near
    row = np.where(near, (dy + window - 1) * (2 * window - 1) + dz + window - 1, 0)
    bias = w[name + ".bias_table"][row].transpose(2, 0, 1)
    qkv = linear(w, name + "/qkv", x)
    return linear(w, name + "/proj", attend(*np.split(qkv, 3, 1), heads, allowed, bias))


def swin(w, inputs, c):
    x = norm(w, "patch_embed/norm", patches(w, "patch_embed", inputs["input"][0], 4), 1e-5)
    for s, blocks in enumerate(c.blocks):
        if s:
            side = math.isqrt(len(x))
            y, z = places(side // 2)
            x = np.concatenate([x[(2 * y + dy) * side + 2 * z + dz] for dy, dz in ((0, 0), (1, 0), (0, 1), (1, 1))], 1)
            x = linear(w, f"merge.{s}/reduction", norm(w, f"merge.{s}/norm", x, 1e-5))
        side, heads = math.isqrt(len(x)), x.shape[1] // c.head
        for b in range(blocks):
            name = f"stages.{s}.{b}"
            shift = c.window // 2 if b % 2 and side > c.window else 0
            y = norm(w, name + "/norm1", x, 1e-5)
            x = x + swin_attention(w, name + "/attn", y, side, c.window, shift, heads)
            x = x + mlp(w, name + "/mlp", norm(w, name + "/norm2", x, 1e-5))
    return {"output": head(w, "head", norm(w, "norm", x, 1e-5).mean(0))[None]}


def twins(w, inputs, c):
    image = inputs["input"][0]
    for s, blocks in enumerate(c.blocks):
        x = norm(w, f"patch_embeds.{s}/norm", patches(w, f"patch_embeds.{s}", image, 2 if s else 4), 1e-5)
        side = math.isqrt(len(x))
        y, z = places(side)
        for b in range(blocks):
            name = f"blocks.{s}.{b}"
            n = norm(w, name + "/norm1", x)
            if c.local and b % 2 == 0:
                cell = y // c.window * side + z // c.window
                parts = np.split(linear(w, name + "/attn/qkv", n), 3, 1)
                a = attend(*parts, c.heads[s], cell[:, None] == cell)
            else:
                seen = n
                if c.steps[s] > 1:
                    seen = patches(w, name + "/attn/sr", image_of(n), c.steps[s])
                    seen = norm(w, name + "/attn/norm", seen, 1e-5)
                kv = np.split(linear(w, name + "/attn/kv", seen), 2, 1)
                a = attend(linear(w, name + "/attn/q", n), *kv, c.heads[s])
            x = x + linear(w, name + "/attn/proj", a)
            x = x + mlp(w, name + "/mlp", norm(w, name + "/norm2", x))
            if b == 0:
                x = x + near_sum(w, f"pos_block.{s}", x, y, z, np.zeros(len(x)))
        image = image_of(x)
    return {"output": head(w, "head", norm(w, "norm", x).mean(0))[None]}


def cswin(w, inputs, c):
    x = norm(w, "stem/norm", patches(w, "stem", inputs["input"][0], 4, 2), 1e-5)
    for s, blocks in enumerate(c.blocks):
        if s:
            x = norm(w, f"merge.{s}/norm", patches(w, f"merge.{s}", image_of(x), 2, 1), 1e-5)
        side, width = math.isqrt(len(x)), x.shape[1]
        y, z = places(side)
        stripes = [y * 0] if c.stripes[s] == side else [z // c.stripes[s], y // c.stripes[s]]
        for b in range(blocks):
            name, out = f"stages.{s}.{b}", []
            parts = np.split(linear(w, name + "/attn/qkv", norm(w, name + "/norm1", x, 1e-5)), 3, 1)
            for i, stripe in enumerate(stripes):
                size = width // len(stripes)
                q, k, v = (p[:, i * size:(i + 1) * size] for p in parts)
                a = attend(q, k, v, c.heads[s] // len(stripes), stripe[:, None] == stripe)
                out.append(a + near_sum(w, f"{name}/attn/attns.{i}/get_v", v, y, z, stripe))
            x = x + linear(w, name + "/attn/proj", np.concatenate(out, 1))
            x = x + mlp(w, name + "/mlp", norm(w, name + "/norm2", x, 1e-5))
    return {"output": head(w, "head", norm(w, "norm", x, 1e-5).mean(0))[None]}


def bert(w, inputs, c):
    ids = inputs["input_ids"][0]
    x = w["word.weight"][ids] + w["type.weight"][0] + w["position.weight"][:len(ids)]
    x = norm(w, "norm", x, 1e-12)
    for i in range(c.blocks):
        name = f"layer.{i}"
        q, k, v = (linear(w, f"{name}/attention/{part}", x) for part in ("query", "key", "value"))
        y = linear(w, name + "/attention/output", attend(q, k, v, c.heads))
        x = norm(w, name + "/attention/norm", x + y, 1e-12)
        x = norm(w, name + "/norm", x + mlp(w, name + "/mlp", x), 1e-12)
    return {"output": np.tanh(head(w, "pooler", x[0]))[None]}


def gpt2(w, inputs, c):
    ids = inputs["input_ids"][0]
    x = w["wte.weight"][ids] + w["wpe.weight"][:len(ids)]
    past = np.arange(len(ids))[:, None] >= np.arange(len(ids))
    for i in range(c.blocks):
        name = f"h.{i}"
        qkv = linear(w, name + "/attn/c_attn", norm(w, name + "/ln_1", x, 1e-5))
        x = x + linear(w, name + "/attn/c_proj", attend(*np.split(qkv, 3, 1), c.heads, past))
        y = linear(w, name + "/mlp/c_fc", norm(w, name + "/ln_2", x, 1e-5))
        y = 0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y ** 3)))
        x = x + linear(w, name + "/mlp/c_proj", y)
    return {"output": (norm(w, "ln_f", x, 1e-5) @ w["wte.weight"].T)[None]}


def turn(x, positions, heads, base):
    """Rotary embedding: places i and i + size/2 of a head are a complex number, turned by
    position * base^(-2i/size)."""
    size = x.shape[1] // heads
    x = x.reshape(len(x), heads, 2, size // 2)
    angle = positions[:, None, None] * base ** (-2 * np.arange(size // 2) / size)
    z = (x[:, :, 0] + 1j * x[:, :, 1]) * np.exp(1j * angle)
    return np.stack([z.real, z.imag], 2).reshape(len(x), -1)


def rms(w, name, x):
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-5) * w[name + ".weight"]


def llama(w, inputs, c):
    x, positions = inputs["hidden_states"][0], inputs["position_ids"][0]
    size = c.width // c.heads
    y = rms(w, "input_layernorm", x)
    q, k, v = (linear(w, f"self_attn/{part}_proj", y) for part in "qkv")
    q, k = turn(q, positions, c.heads, c.base), turn(k, positions, c.groups, c.base)
    if c.decode:
        flat = {part: inputs[f"past_key_values.0.{part}"][0].transpose(1, 0, 2).reshape(c.sequence, -1)
                for part in ("key", "value")}
        k, v = np.concatenate([flat["key"], k]), np.concatenate([flat["value"], v])
    seen = np.arange(len(k)) <= positions[:, None]
    out = np.zeros_like(q)
    for h in range(c.heads):
        mine, shared = slice(h * size, (h + 1) * size), h // (c.heads // c.groups) * size
        group = slice(shared, shared + size)
        out[:, mine] = attend(q[:, mine], k[:, group], v[:, group], 1, seen)
    x = x + linear(w, "self_attn/o_proj", out)
    y = rms(w, "post_attention_layernorm", x)
    gate = linear(w, "mlp/gate_proj", y)
    x = x + linear(w, "mlp/down_proj", gate / (1 + np.exp(-gate)) * linear(w, "mlp/up_proj", y))
    present = {f"present.0.{part}": z.reshape(len(z), c.groups, size).transpose(1, 0, 2)[None]
               for part, z in (("key", k), ("value", v))}
    return {"output": x[None]} | present


def sd_unet(w, inputs, c):
    image, context = inputs["hidden_states"][0], inputs["encoder_hidden_states"][0]
    groups = image.reshape(c.norm_groups, -1)
    x = (groups - groups.mean(1, keepdims=True)) / np.sqrt(groups.var(1, keepdims=True) + 1e-6)
    x = x.reshape(image.shape) * w["norm.weight"] + w["norm.bias"]
    x = patches(w, "proj_in", x, 1)
    for number, source in ((1, None), (2, context)):
        y, name = norm(w, f"norm{number}", x, 1e-5), f"attn{number}"
        seen = y if source is None else source
        a = attend(linear(w, name + "/to_q", y), linear(w, name + "/to_k", seen), linear(w, name + "/to_v", seen), c.heads)
        x = x + linear(w, name + "/to_out", a)
    y, gate = np.split(linear(w, "ff/proj", norm(w, "norm3", x, 1e-5)), 2, 1)
    x = x + linear(w, "ff/out", y * gelu(gate))
    return {"output": (image_of(patches(w, "proj_out", image_of(x), 1)) + image)[None]}
