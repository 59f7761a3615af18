"""OpenVINO's runtime on the graph that OpenVINO GenAI makes of the GGUF file: the contexts of a batch once, their caches repeated for the choices (beam_idx),
the head at the rows that are asked about only (the graph gets a gather in front of it)."""
from peers import openvino_genai as peer
from peers.common import Unavailable

from . import batches

NAME = "OpenVINO int8"


def with_rows(model, openvino):
    """The head takes the rows that a new input "rows" names, of all rows of the batch."""
    import numpy as np
    ops = openvino.opset13
    head = model.get_results()[0].input_value(0).get_node()
    while head.get_type_name() != "MatMul":
        head = head.input_value(0).get_node()
    hidden = head.input_value(0)
    rows = ops.parameter([-1], np.int64, name="rows")
    rows.output(0).get_tensor().set_names({"rows"})
    width = hidden.get_partial_shape()[2].get_length()
    flat = ops.reshape(hidden, np.array([1, -1, width], dtype=np.int64), False)
    picked = ops.gather(flat, rows, np.int64(1))
    head.input(0).replace_source_output(picked.output(0))
    model.add_parameters([rows])
    model.validate_nodes_and_infer_types()


def score(request):
    if not request.get("file"):
        raise Unavailable("needs the GGUF file")
    try:
        import numpy as np
        import openvino
        import openvino_genai as genai
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed") from None
    folder = peer.graph(request["file"], request["work"], genai)
    core = openvino.Core()
    model = core.read_model(str(folder / "openvino_model.xml"))
    with_rows(model, openvino)
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": request["threads"], "PERFORMANCE_HINT": "LATENCY"})
    infer = compiled.create_infer_request()

    def step(ids, mask, positions, beams, rows):
        infer.infer({"input_ids": ids, "attention_mask": mask, "position_ids": positions, "beam_idx": np.array(beams, dtype=np.int32),
                     "rows": np.array(rows, dtype=np.int64)})
        logits = infer.get_tensor("logits").data
        return logits.reshape(-1, logits.shape[-1])

    def padded(sequences):
        width = max(map(len, sequences))
        out = np.zeros((len(sequences), width), dtype=np.int64)
        for row, ids in zip(out, sequences):
            row[:len(ids)] = ids
        return out, (np.arange(width)[None] < np.array([len(s) for s in sequences])[:, None]).astype(np.int64)

    def log_softmax_at(logits, targets):
        import torch  # its loops over the vocabulary are threaded
        values = torch.from_numpy(logits)
        return (values.gather(-1, torch.tensor(targets)[:, None])[:, 0] - values.logsumexp(-1)).tolist()

    def run(batch):
        infer.reset_state()
        scores = [[0.0] * len(q["choices"]) for q in batch]
        ids, mask = padded([q["context"] for q in batch])
        width = ids.shape[1]
        positions = np.broadcast_to(np.arange(width), ids.shape)
        asked = [(b, c, choice[0]) for b, q in enumerate(batch) for c, choice in enumerate(q["choices"])]
        logits = step(ids, mask, np.ascontiguousarray(positions), range(len(batch)), [b * width + len(batch[b]["context"]) - 1 for b, _, _ in asked])
        for (b, c, _), value in zip(asked, log_softmax_at(logits, [token for *_, token in asked])):
            scores[b][c] += value
        behind = [(b, c, choice) for b, q in enumerate(batch) for c, choice in enumerate(q["choices"]) if len(choice) > 1]
        if not behind:
            return scores
        beams = [b for b, *_ in behind]
        ids, more = padded([choice[:-1] for *_, choice in behind])
        width = ids.shape[1]
        positions = np.array([len(batch[b]["context"]) for b in beams])[:, None] + np.arange(width)[None]
        asked = [(i, t, choice[t + 1]) for i, (*_, choice) in enumerate(behind) for t in range(len(choice) - 1)]
        logits = step(ids, np.concatenate([mask[beams], more], 1), positions, beams, [i * width + t for i, t, _ in asked])
        for (i, *_), value in zip(asked, log_softmax_at(logits, [token for *_, token in asked])):
            scores[behind[i][0]][behind[i][1]] += value
        return scores

    return batches.timed(batches.split(request["questions"], request["batch"]), run)
