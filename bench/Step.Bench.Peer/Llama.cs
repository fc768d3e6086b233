using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace RepNoise.Bench.Peer;

/// <summary>What a pass keeps: residual streams before each layer and, last, after the final norm; MLP outputs; caller disposes.</summary>
internal sealed record Pass(List<Tensor> Hidden, List<Tensor> Mlp) : IDisposable
{
    public void Dispose()
    {
        foreach (var tensor in Hidden.Concat(Mlp)) tensor.Dispose();
    }
}

/// <summary>A Llama decoder in eager mode, as transformers computes it.</summary>
internal sealed class Llama
{
    private readonly Job job;
    private readonly Dictionary<string, Tensor> weights = [];
    private readonly TorchSharp.Modules.Embedding embedding;
    private readonly Tensor cos;
    private readonly Tensor sin;

    public Llama(Job job, Weights file)
    {
        this.job = job;
        foreach (string name in Names()) weights[name] = new TorchSharp.Modules.Parameter(file[name]);
        embedding = nn.Embedding(job.Vocab, job.Hidden);
        embedding.weight = (TorchSharp.Modules.Parameter)weights["model.embed_tokens.weight"];
        long half = job.Hidden / job.Heads;
        var inverse = pow(Job.RopeTheta, arange(0, half, 2, ScalarType.Float32) / half).reciprocal();
        var angle = outer(arange(job.Length, ScalarType.Float32), inverse);
        var both = cat([angle, angle], -1);
        (cos, sin) = (both.cos(), both.sin());
    }

    public IEnumerable<TorchSharp.Modules.Parameter> Parameters => weights.Values.Cast<TorchSharp.Modules.Parameter>();

    /// <summary>V.</summary>
    public int Vocab => job.Vocab;

    public TorchSharp.Modules.Parameter HeadWeight => (TorchSharp.Modules.Parameter)weights["lm_head.weight"];

    public TorchSharp.Modules.Parameter NormWeight => (TorchSharp.Modules.Parameter)weights["model.norm.weight"];

    public Tensor Head(Tensor x) => F.linear(x, weights["lm_head.weight"]);

    public Tensor Norm(Tensor x) => Norm(x, "model.norm.weight");

    /// <param name="ids">(B, T).</param>
    /// <param name="visible">(B, 1, T, T), or null where no sequence has pads.</param>
    public Pass Forward(Tensor ids, Tensor? visible)
    {
        using var scope = NewDisposeScope();
        var pass = new Pass([], []);
        var h = embedding.forward(ids);
        for (int l = 0; l < job.Layers; l++)
        {
            pass.Hidden.Add(h);
            string layer = $"model.layers.{l}.";
            h = h + Attention(Norm(h, layer + "input_layernorm.weight"), layer + "self_attn.", visible);
            var mlp = Mlp(Norm(h, layer + "post_attention_layernorm.weight"), layer + "mlp.");
            pass.Mlp.Add(mlp);
            h = h + mlp;
        }

        pass.Hidden.Add(Norm(h));
        foreach (var tensor in pass.Hidden.Concat(pass.Mlp)) tensor.MoveToOuterDisposeScope();
        return pass;
    }

    private Tensor Norm(Tensor x, string name)
    {
        using var scope = NewDisposeScope();
        return (weights[name] * (x * rsqrt(x.pow(2).mean([-1], keepdim: true) + Job.NormEpsilon))).MoveToOuterDisposeScope();
    }

    private Tensor Mlp(Tensor x, string p)
    {
        using var scope = NewDisposeScope();
        var inner = F.silu(Linear(x, p + "gate_proj")) * Linear(x, p + "up_proj");
        return Linear(inner, p + "down_proj").MoveToOuterDisposeScope();
    }

    private Tensor Attention(Tensor x, string p, Tensor? visible)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (Rotate(Heads(x, p + "q_proj")), Rotate(Heads(x, p + "k_proj")), Heads(x, p + "v_proj"));
        var y = F.scaled_dot_product_attention(q, k, v, visible, is_casual: visible is null);
        return Linear(y.transpose(1, 2).reshape(x.shape), p + "o_proj").MoveToOuterDisposeScope();
    }

    private Tensor Heads(Tensor x, string name) =>
        Linear(x, name).view(x.shape[0], x.shape[1], job.Heads, job.Hidden / job.Heads).transpose(1, 2);

    private Tensor Rotate(Tensor x)
    {
        long half = x.shape[3] / 2;
        return x * cos + cat([-x.narrow(3, half, half), x.narrow(3, 0, half)], -1) * sin;
    }

    private Tensor Linear(Tensor x, string name) => F.linear(x, weights[name + ".weight"]);

    private IEnumerable<string> Names()
    {
        string[] parts = ["input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
        var layers = from l in Enumerable.Range(0, job.Layers) from part in parts select $"model.layers.{l}.{part}.weight";
        return ["model.embed_tokens.weight", .. layers, "model.norm.weight", "lm_head.weight"];
    }
}
