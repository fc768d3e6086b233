using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace RepNoise.Bench.Peer;

/// <summary>
/// The same loss with the savings of our own engine, in libtorch: rows without a counted target never meet the head, vocabulary
/// logits live for <see cref="ChunkRows"/> rows at a time, and the MMD keeps no difference of two rows. What is then left between
/// the two sides is the engine alone. Each method runs its backward pass too and leaves gradients in the parameters.
/// </summary>
internal static class LeanLoss
{
    private const int ChunkRows = 256;

    /// <inheritdoc cref="OfficialLoss.Sft"/>
    public static double Sft(Llama model, Tensor ids)
    {
        using var scope = NewDisposeScope();
        using var pass = model.Forward(ids, null);
        long last = ids.shape[1] - 1;
        var rows = pass.Hidden[^1].narrow(1, 0, last).reshape(-1, pass.Hidden[^1].shape[2]);
        var labels = ids.narrow(1, 1, last).reshape(-1);
        var leaf = rows.detach().requires_grad_();
        double loss = ChunkedSum(model, leaf, labels, norm: false, scale: 1.0 / labels.shape[0]) / labels.shape[0];
        rows.backward([leaf.grad!]);
        return loss;
    }

    /// <param name="model">The decoder.</param>
    /// <param name="batch">Padded ids and visibility of both passes.</param>
    /// <param name="noise">(B, T, C) draw of a layer.</param>
    public static double RepNoise(Llama model, PairBatch batch, Func<int, Tensor> noise)
    {
        using var scope = NewDisposeScope();
        var mask = batch.Harmful.ne(batch.Harmless);
        double stability = Stability(model, batch, mask);
        using var pass = model.Forward(batch.Harmful, batch.HarmfulVisible);
        var distance = zeros(1);
        var floats = mask.to(ScalarType.Float32);
        for (int l = 0; l < pass.Mlp.Count; l++) distance = distance + MaskedMmd(pass.Mlp[l], noise(l), floats);
        distance = Job.Beta * distance / pass.Mlp.Count;
        var (ascent, states, gradients) = Ascent(model, pass, new Targets(batch.Harmful, mask));
        autograd.backward([distance, .. states], [ones(1), .. gradients]);
        return stability + distance.item<float>() - (Job.Alpha * Math.Log(ascent));
    }

    private static double Stability(Llama model, PairBatch batch, Tensor mask)
    {
        using var scope = NewDisposeScope();
        using var pass = model.Forward(batch.Harmless, batch.HarmlessVisible);
        var targets = new Targets(batch.Harmless, mask);
        var rows = targets.Select(pass.Hidden[^1]);
        var leaf = rows.detach().requires_grad_();
        double sum = ChunkedSum(model, leaf, targets.Labels, norm: false, 1.0 / targets.Count);
        rows.backward([leaf.grad!]);
        return (sum + (targets.Dropped * Math.Log(model.Vocab))) / targets.Count;
    }

    /// <summary>
    /// The ascent, and for each hidden state that carries it the gradient. The factor of the logarithm is known only at the end, so
    /// head and norm gather their gradients apart until then.
    /// </summary>
    private static (double Ascent, List<Tensor> States, List<Tensor> Gradients) Ascent(Llama model, Pass pass, Targets targets)
    {
        TorchSharp.Modules.Parameter[] shared = [model.HeadWeight, model.NormWeight];
        Tensor?[] before = [.. shared.Select(parameter => parameter.grad)];
        foreach (var parameter in shared) parameter.grad = null;
        List<Tensor> states = [], leaves = [];
        double sum = 0;
        for (int l = -1; l < pass.Hidden.Count; l++)
        {
            var rows = targets.Select(l < 0 ? pass.Hidden[^1] : pass.Hidden[l]);
            var leaf = rows.detach().requires_grad_();
            sum += ChunkedSum(model, leaf, targets.Labels, norm: l >= 0, 1) + (targets.Dropped * Math.Log(model.Vocab));
            states.Add(rows);
            leaves.Add(leaf);
        }

        double ascent = (sum / targets.Count / pass.Hidden.Count) + 1;
        double factor = -Job.Alpha / ascent / pass.Hidden.Count / targets.Count;
        for (int i = 0; i < shared.Length; i++)
        {
            using (no_grad()) shared[i].grad!.mul_(factor);
            if (before[i] is { } earlier) using (no_grad()) shared[i].grad!.add_(earlier);
        }

        return (ascent, states, [.. leaves.Select(leaf => leaf.grad! * factor)]);
    }

    /// <summary>Sum of the rows' cross-entropies; gradients, times <paramref name="scale"/>, go into the leaf, the head and the norm.</summary>
    private static double ChunkedSum(Llama model, Tensor leaf, Tensor labels, bool norm, double scale)
    {
        double sum = 0;
        for (long begin = 0; begin < leaf.shape[0]; begin += ChunkRows)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(ChunkRows, leaf.shape[0] - begin);
            var rows = leaf.narrow(0, begin, count);
            var loss = F.cross_entropy(model.Head(norm ? model.Norm(rows) : rows), labels.narrow(0, begin, count), reduction: nn.Reduction.Sum);
            (loss * scale).backward();
            sum += loss.item<float>();
        }

        return sum;
    }

    /// <summary>As the authors' MMD, from norms and inner products: nothing of size (2B, 2B, T C).</summary>
    private static Tensor MaskedMmd(Tensor mlp, Tensor noise, Tensor mask)
    {
        using var scope = NewDisposeScope();
        long b = mlp.shape[0], n = 2 * b;
        var rows = cat([(mlp * mask.unsqueeze(-1)).view(b, -1), (noise * mask.unsqueeze(-1)).view(b, -1)], 0);
        var products = rows.matmul(rows.t());
        var norms = products.diagonal();
        var squared = norms.unsqueeze(0) + norms.unsqueeze(1) - (2 * products);
        var width = squared.detach().sum() / (double)(n * n - n) / 4.0;
        var kernel = exp(-squared / width);
        for (int i = 1; i < 5; i++) kernel = kernel + exp(-squared / (width * (1 << i)));
        var (xx, yy) = (kernel.narrow(0, 0, b).narrow(1, 0, b), kernel.narrow(0, b, b).narrow(1, b, b));
        var (xy, yx) = (kernel.narrow(0, 0, b).narrow(1, b, b), kernel.narrow(0, b, b).narrow(1, 0, b));
        return (xx + yy - xy - yx).mean().MoveToOuterDisposeScope();
    }

    /// <summary>The rows that a masked cross-entropy reads: those whose own mask and whose target's mask are both 1.</summary>
    private sealed class Targets
    {
        private readonly Tensor rows;

        public Targets(Tensor ids, Tensor mask)
        {
            long last = ids.shape[1] - 1;
            var counted = mask.narrow(1, 1, last).logical_and(ids.narrow(1, 1, last).ne(0));
            var both = counted.logical_and(mask.narrow(1, 0, last));
            // Row numbers in the whole frame, of which each sequence's last position predicts nothing.
            rows = cat([both, zeros(ids.shape[0], 1, ScalarType.Bool)], 1).view(-1).nonzero().view(-1);
            Labels = ids.narrow(1, 1, last).masked_select(both);
            Count = counted.sum().item<long>();
            Dropped = Count - Labels.shape[0];
        }

        /// <summary>Next ids of the rows.</summary>
        public Tensor Labels { get; }

        /// <summary>Targets in the mean.</summary>
        public long Count { get; }

        /// <summary>Targets whose logits count as zeros: each costs ln V and has no gradient.</summary>
        public long Dropped { get; }

        public Tensor Select(Tensor hidden) => hidden.view(-1, hidden.shape[2]).index_select(0, rows);
    }
}
