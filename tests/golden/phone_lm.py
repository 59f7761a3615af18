# PhoneLM for the goldens: transformers has no class for it. Written from its definition (architectures/phone_lm.cpp names
# the sources), not from its code; kept inside transformers' base classes so that saving is transformers' own.
import torch
import transformers
from torch import nn

STEPS = 127  # cos and sin of the rope are int8 over their largest value, 1


class PhoneLmConfig(transformers.PretrainedConfig):
    model_type = "phonelm"

    def __init__(self, vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32,
                 num_attention_heads=32, num_key_value_heads=None, hidden_act="silu", max_position_embeddings=2048,
                 rms_norm_eps=1e-6, rope_theta=10000.0, attention_bias=False, **rest):
        self.vocab_size, self.hidden_size, self.intermediate_size = vocab_size, hidden_size, intermediate_size
        self.num_hidden_layers, self.num_attention_heads = num_hidden_layers, num_attention_heads
        self.num_key_value_heads = num_key_value_heads or num_attention_heads
        self.hidden_act, self.max_position_embeddings = hidden_act, max_position_embeddings
        self.rms_norm_eps, self.rope_theta, self.attention_bias = rms_norm_eps, rope_theta, attention_bias
        self.rope_scaling, self.attention_dropout, self.pretraining_tp, self.initializer_range = None, 0.0, 1, 0.02
        for taken in ("rope_scaling", "attention_dropout", "pretraining_tp", "initializer_range"):
            rest.pop(taken, None)
        super().__init__(**{"tie_word_embeddings": False, **rest})


class Scale(nn.Module):
    """x / rms(x) * weight"""

    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return self.weight * (x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.eps))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.theta = c.num_attention_heads, c.num_key_value_heads, c.rope_theta
        self.width = c.hidden_size // c.num_attention_heads
        kv = self.kv_heads * self.width
        self.q_proj = nn.Linear(c.hidden_size, c.hidden_size, bias=c.attention_bias)
        self.k_proj = nn.Linear(c.hidden_size, kv, bias=c.attention_bias)
        self.v_proj = nn.Linear(c.hidden_size, kv, bias=c.attention_bias)
        self.o_proj = nn.Linear(c.hidden_size, c.hidden_size, bias=c.attention_bias)

    def rotated(self, x):
        """x: (heads, n, width); element i turns with i + width / 2."""
        frequency = 1.0 / self.theta ** (torch.arange(0, self.width, 2).float() / self.width)
        angle = torch.arange(x.shape[1]).float()[:, None] * frequency
        cos, sin = ((f(angle) * STEPS).round() / STEPS for f in (torch.cos, torch.sin))
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    def forward(self, x):
        n = x.shape[0]
        q = self.rotated(self.q_proj(x).view(n, self.heads, self.width).transpose(0, 1))
        k = self.rotated(self.k_proj(x).view(n, self.kv_heads, self.width).transpose(0, 1))
        v = self.v_proj(x).view(n, self.kv_heads, self.width).transpose(0, 1)
        k, v = (t.repeat_interleave(self.heads // self.kv_heads, 0) for t in (k, v))
        scores = q @ k.transpose(1, 2) / self.width ** 0.5
        scores = scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf"))
        return self.o_proj((scores.softmax(-1) @ v).transpose(0, 1).reshape(n, -1))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)
        self.act = transformers.activations.ACT2FN[c.hidden_act]

    def forward(self, x):
        return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), Mlp(c)
        self.input_layernorm = Scale(c.hidden_size, c.rms_norm_eps)
        self.post_attention_layernorm = Scale(c.hidden_size, c.rms_norm_eps)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = Scale(c.hidden_size, c.rms_norm_eps)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class PhoneLMForCausalLM(transformers.PreTrainedModel):  # config.json names this class
    config_class = PhoneLmConfig
    _tied_weights_keys = ["lm_head.weight"]

    def __init__(self, config):
        super().__init__(config)
        self.model = Body(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module):
        pass  # make_model gives every weight

    def get_input_embeddings(self):
        return self.model.embed_tokens

    def get_output_embeddings(self):
        return self.lm_head

    def forward(self, ids, use_cache=False):
        logits = torch.stack([self.lm_head(self.model(row)) for row in ids])
        return transformers.modeling_outputs.CausalLMOutput(logits=logits)
