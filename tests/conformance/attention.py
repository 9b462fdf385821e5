# SPDX-License-Identifier: Apache-2.0
"""The attention operators of com.microsoft; see microsoft.py."""
import math

from one_node import CASES, F, RANDOM, attend, case, join, np, rnd, rotate, softmax, split, wide


def attention():
    x, w, b = rnd(2, 4, 8), rnd(8, 24) * F(0.5), rnd(24)
    p = wide(x) @ w + b
    q, k, v = (split(t, 2) for t in np.split(p, 3, 2))
    more = {"num_heads": 2}
    case("attention", "Attention", [x, w, b], [join(attend(q, k, v))], **more)
    case("attention_scale", "Attention", [x, w, b], [join(attend(q, k, v, scale=0.3))], scale=0.3, **more)
    case("attention_causal", "Attention", [x, w, b], [join(attend(q, k, v, causal=True))], unidirectional=1, **more)
    ends, starts = np.array([3, 2], np.int32), np.array([1, 0], np.int32)
    at = np.arange(4)[None]
    seen = at < ends[:, None]

    def hide(m, value=-10000.0):
        return np.where(m, 0, value)

    case("attention_lengths", "Attention", [x, w, b, ends], [join(attend(q, k, v, hide(seen)[:, None, None]))], **more)
    both = seen & (at >= starts[:, None])
    case("attention_ends_starts", "Attention", [x, w, b, np.concatenate([ends, starts])],
         [join(attend(q, k, v, hide(both)[:, None, None]))], **more)
    case("attention_keys", "Attention", [x, w, b, both.astype(np.int32)],
         [join(attend(q, k, v, hide(both)[:, None, None]))], **more)
    case("attention_keys_value", "Attention", [x, w, b, both.astype(np.int32)],
         [join(attend(q, k, v, hide(both, -0.5)[:, None, None]))], mask_filter_value=-0.5, **more)
    square = RANDOM.rand(2, 4, 4) < 0.6
    case("attention_square", "Attention", [x, w, b, square.astype(np.int32)],
         [join(attend(q, k, v, hide(square)[:, None]))], **more)
    none = np.zeros((2, 4), np.int32)
    case("attention_all_hidden", "Attention", [x, w, b, none], [join(attend(q, k, v))], **more)
    case("attention_length_0", "Attention", [x, w, b, np.array([0, 4], np.int32)], [join(attend(q, k, v))], **more)
    extra = rnd(2, 2, 4, 4)
    case("attention_added", "Attention", [x, w, b, None, None, extra], [join(attend(q, k, v, extra))], **more)
    case("attention_added_causal", "Attention", [x, w, b, ends, None, extra],
         [join(attend(q, k, v, extra + hide(seen)[:, None, None], causal=True))], unidirectional=1, **more)
    past = rnd(2, 2, 2, 3, 4)
    pk, pv = np.concatenate([past[0], k], 2), np.concatenate([past[1], v], 2)
    present = np.stack([pk, pv])
    case("attention_past", "Attention", [x, w, b, None, past], [join(attend(q, pk, pv)), present], **more)
    case("attention_past_causal", "Attention", [x, w, b, None, past],
         [join(attend(q, pk, pv, causal=True)), present], unidirectional=1, **more)
    keys = (RANDOM.rand(2, 7) < 0.7).astype(np.int32)
    case("attention_past_keys", "Attention", [x, w, b, keys, past],
         [join(attend(q, pk, pv, hide(keys > 0)[:, None, None], causal=True)), present], unidirectional=1, **more)
    w2, b2 = rnd(8, 22) * F(0.5), rnd(22)
    p = wide(x) @ w2 + b2
    q2, k2, v2 = (split(t, 2) for t in (p[..., :8], p[..., 8:16], p[..., 16:]))
    case("attention_sizes", "Attention", [x, w2, b2], [join(attend(q2, k2, v2))], qkv_hidden_sizes=[8, 8, 6], **more)


def many_heads():
    q, k, v, b = rnd(2, 3, 8), rnd(2, 5, 8), rnd(2, 5, 8), rnd(24)
    more = {"num_heads": 2}
    hq, hk, hv = (split(t, 2) for t in (q, k, v))
    bq, bk, bv = (split(t + wide(c), 2) for t, c in zip((q, k, v), np.split(b, 3)))
    op = "MultiHeadAttention"
    case("mha", op, [q, k, v], [join(attend(hq, hk, hv))], **more)
    case("mha_bias", op, [q, k, v, b], [join(attend(bq, bk, bv))], **more)
    lengths = np.array([4, 2], np.int32)
    seen = np.arange(5)[None] < lengths[:, None]
    hide = np.where(seen, 0, -10000.0)[:, None, None]
    case("mha_lengths", op, [q, k, v, None, lengths], [join(attend(hq, hk, hv, hide))], **more)
    case("mha_keys", op, [q, k, v, b, seen.astype(np.int32)], [join(attend(bq, bk, bv, hide))], **more)
    extra = rnd(1, 2, 3, 5)
    case("mha_added", op, [q, k, v, None, None, extra], [join(attend(hq, hk, hv, extra))], scale=0.4, **more)
    CASES[-1].outputs[0] = join(attend(hq, hk, hv, extra, scale=0.4)).astype(F)
    square = RANDOM.rand(2, 3, 5) < 0.7
    case("mha_square", op, [q, k, v, None, square.astype(np.int32)],
         [join(attend(hq, hk, hv, np.where(square, 0, -10000.0)[:, None]))], **more)
    case("mha_heads_given", op, [q, hk.astype(F), hv.astype(F)], [join(attend(hq, hk, hv))], **more)
    case("mha_heads_given_bias", op, [q, hk.astype(F), hv.astype(F), b], [join(attend(bq, hk, hv))], **more)
    wide_v = rnd(2, 5, 12)
    case("mha_other_v", op, [q, k, wide_v], [join(attend(hq, hk, split(wide_v, 2)))], **more)
    q, k, v = rnd(2, 4, 8), rnd(2, 4, 8), rnd(2, 4, 8)
    hq, hk, hv = (split(t, 2) for t in (q, k, v))
    case("mha_causal", op, [q, k, v], [join(attend(hq, hk, hv, causal=True))], unidirectional=1, **more)
    parts = [t.reshape(2, 4, 2, 4) for t in (q, k, v)]
    case("mha_packed", op, [np.stack(parts, 3)], [join(attend(hq, hk, hv))], **more)
    case("mha_packed_kv", op, [q, np.stack(parts[1:], 3)], [join(attend(hq, hk, hv))], **more)
    bq, bk, bv = (split(t + wide(c), 2) for t, c in zip((q, k, v), np.split(b, 3)))
    case("mha_packed_bias", op, [np.stack(parts, 3), None, None, b], [join(attend(bq, bk, bv))], **more)
    pk, pv = rnd(2, 2, 3, 4), rnd(2, 2, 3, 4)
    ck, cv = np.concatenate([pk, hk], 2), np.concatenate([pv, hv], 2)
    case("mha_past", op, [q, k, v, None, None, None, pk, pv], [join(attend(hq, ck, cv)), ck, cv], **more)
    case("mha_past_causal", op, [q, k, v, None, None, None, pk, pv], [join(attend(hq, ck, cv, causal=True)), ck, cv],
         unidirectional=1, **more)
    case("mha_present", op, [q, k, v, b], [join(attend(bq, bk, bv)), bk, bv], **more)


def rotations():
    angle = rnd(9, 4)
    cos, sin = np.cos(angle), np.sin(angle)
    x, h = rnd(2, 3, 16), rnd(2, 2, 3, 8)
    at = np.array([[2, 3, 4], [0, 5, 8]], np.int64)
    from_1 = np.arange(3)[None] + np.array([[1], [1]])
    op = "RotaryEmbedding"
    for name, pos, full in (("", at, at), ("_offset", np.array([1], np.int64), from_1)):
        for turn in (0, 1):
            end = name + ("_pairs" if turn else "")
            case("rotary" + end, op, [x, pos, cos, sin], [join(rotate(split(x, 2), cos, sin, full, turn))],
                 interleaved=turn)
            case("rotary_heads" + end, op, [h, pos, cos, sin], [rotate(h, cos, sin, full, turn)], interleaved=turn)
    c2, s2 = cos[:, :2], sin[:, :2]
    case("rotary_part", op, [x, at, c2, s2], [join(rotate(split(x, 2), c2, s2, at))], num_heads=2,
         rotary_embedding_dim=4)


def attend_with_sink(q, k, v, sink):
    """Causal; the sink of each head takes part of the softmax."""
    k, v = (np.repeat(t, q.shape[1] // k.shape[1], axis=1) for t in (k, v))
    s = q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[3])
    s = np.where(np.triu(np.ones(s.shape[2:]), 1) > 0, -1e30, s)
    s = np.concatenate([s, np.broadcast_to(wide(sink)[None, :, None, None], s.shape[:3] + (1,))], 3)
    return softmax(s)[..., :-1] @ v


def grouped_attention():
    op = "GroupQueryAttention"
    more = {"num_heads": 4, "kv_num_heads": 2}
    q, k, v = rnd(2, 3, 64), rnd(2, 3, 32), rnd(2, 3, 32)
    hq, hk, hv = split(q, 4), split(k, 2), split(v, 2)
    total = np.array(3, np.int32)
    last = np.array([2, 2], np.int32)
    nothing = [None, None]
    y = join(attend(hq, hk, hv, causal=True))
    case("gqa", op, [q, k, v, *nothing, last, total], [y, hk, hv], constant=(5, 6), **more)
    case("gqa_given", op, [q, k, v, *nothing, last, total], [y, hk, hv], constant=(6,), **more)
    case("gqa_packed", op, [np.concatenate([q, k, v], 2), None, None, *nothing, last, total], [y, hk, hv],
         constant=(5, 6), **more)
    case("gqa_softcap", op, [q, k, v, *nothing, last, total], [join(attend(hq, hk, hv, causal=True, softcap=0.8)), hk, hv],
         constant=(5, 6), softcap=0.8, scale=0.25, **more)
    sink = rnd(4)
    case("gqa_sink", op, [q, k, v, *nothing, last, total, None, None, None, None, sink],
         [join(attend_with_sink(hq, hk, hv, sink)), hk, hv], constant=(5, 6), **more)
    case("gqa_smooth", op, [q, k, v, *nothing, last, total], [join(attend_with_sink(hq, hk, hv, np.zeros(4))), hk, hv],
         constant=(5, 6), smooth_softmax=1, **more)
    case("gqa_window", op, [q, k, v, *nothing, last, total], [join(attend(hq, hk, hv, causal=True, window=2)), hk, hv],
         constant=(5, 6), local_window_size=2, **more)
    angle = rnd(9, 8)
    cos, sin = np.cos(angle), np.sin(angle)
    at = np.tile(np.arange(3), (2, 1))
    for turn in (0, 1):
        rq, rk = rotate(hq, cos, sin, at, turn), rotate(hk, cos, sin, at, turn)
        case("gqa_rotary_%d" % turn, op, [q, k, v, *nothing, last, total, cos, sin],
             [join(attend(rq, rk, hv, causal=True)), rk, hv], constant=(5, 6), do_rotary=1, rotary_interleaved=turn, **more)
    q, k, v = rnd(2, 1, 64), rnd(2, 1, 32), rnd(2, 1, 32)
    pk, pv = rnd(2, 2, 4, 16), rnd(2, 2, 4, 16)
    hq, hk, hv = split(q, 4), split(k, 2), split(v, 2)
    ck, cv = np.concatenate([pk, hk], 2), np.concatenate([pv, hv], 2)
    last, total = np.array([4, 4], np.int32), np.array(5, np.int32)
    case("gqa_past", op, [q, k, v, pk, pv, last, total], [join(attend(hq, ck, cv)), ck, cv], constant=(5, 6), **more)
    at = np.full((2, 1), 4)
    rq, rk = rotate(hq, cos, sin, at), rotate(hk, cos, sin, at)
    ck = np.concatenate([pk, rk], 2)
    case("gqa_past_rotary", op, [q, k, v, pk, pv, last, total, cos, sin], [join(attend(rq, ck, cv)), ck, cv],
         constant=(5, 6), do_rotary=1, **more)
    last = np.array([4, 2], np.int32)
    rows = [np.concatenate([p[i:i + 1, :, :n], t[i:i + 1]], 2) for i, n in enumerate(last)
            for p, t in ((pk, hk), (pv, hv))]
    y = np.concatenate([join(attend(hq[i:i + 1], rows[2 * i], rows[2 * i + 1])) for i in range(2)])
    room = [np.pad(t, ((0, 0), (0, 0), (0, 5 - t.shape[2]), (0, 0))) for t in rows]
    case("gqa_lengths", op, [q, k, v, pk, pv, last, total],
         [y, np.concatenate(room[0::2]), np.concatenate(room[1::2])], constant=(5, 6), **more)
