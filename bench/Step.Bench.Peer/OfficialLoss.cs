using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace RepNoise.Bench.Peer;

/// <summary>
/// The authors' loss, operation by operation; tensors end where Python's references to them would. Each method runs its backward
/// pass too and leaves gradients in the parameters.
/// </summary>
internal static class OfficialLoss
{
    /// <summary>Mean next-token cross-entropy over all tokens.</summary>
    public static double Sft(Llama model, Tensor ids)
    {
        using var scope = NewDisposeScope();
        var pass = model.Forward(ids, null);
        var logits = model.Head(pass.Hidden[^1]);
        var shifted = logits.narrow(1, 0, logits.shape[1] - 1).contiguous();
        var labels = ids.narrow(1, 1, ids.shape[1] - 1).contiguous();
        return Backward(F.cross_entropy(shifted.view(-1, shifted.shape[2]), labels.view(-1)));
    }

    /// <param name="model">The decoder.</param>
    /// <param name="batch">Padded ids and visibility of both passes.</param>
    /// <param name="noise">(B, T, C) draw of a layer.</param>
    public static double RepNoise(Llama model, PairBatch batch, Func<int, Tensor> noise)
    {
        using var scope = NewDisposeScope();
        var pass = model.Forward(batch.Harmful, batch.HarmfulVisible);
        var mask = batch.Harmful.ne(batch.Harmless).to(ScalarType.Float32);
        var distance = zeros(1);
        for (int l = 0; l < pass.Mlp.Count; l++) distance = distance + MaskedMmd(pass.Mlp[l], noise(l), mask);
        var ascent = HeadCrossEntropy(model, pass.Hidden[^1], batch.Harmful, mask);
        Tensor stability;
        using (var harmless = model.Forward(batch.Harmless, batch.HarmlessVisible))
            stability = HeadCrossEntropy(model, harmless.Hidden[^1], batch.Harmless, mask);
        foreach (var hidden in pass.Hidden)
        {
            using var normed = model.Norm(hidden);
            ascent = ascent + HeadCrossEntropy(model, normed, batch.Harmful, mask);
        }

        ascent = ascent / pass.Hidden.Count + 1;
        return Backward((stability + Job.Beta * distance / pass.Mlp.Count - Job.Alpha * log(ascent)).sum());
    }

    private static double Backward(Tensor loss)
    {
        loss.backward();
        return loss.item<float>();
    }

    private static Tensor HeadCrossEntropy(Llama model, Tensor x, Tensor ids, Tensor mask)
    {
        using var scope = NewDisposeScope();
        long last = ids.shape[1] - 1;
        Tensor masked;
        using (var logits = model.Head(x))
        using (var shifted = logits.narrow(1, 0, last).contiguous())
            masked = shifted * mask.narrow(1, 0, last).unsqueeze(-1);
        var labels = ids.narrow(1, 1, last) * mask.narrow(1, 1, last).to(ScalarType.Int64);
        labels = labels.masked_fill(labels.eq(0), -100);
        return F.cross_entropy(masked.view(-1, masked.shape[2]), labels.view(-1)).MoveToOuterDisposeScope();
    }

    private static Tensor MaskedMmd(Tensor mlp, Tensor noise, Tensor mask)
    {
        using var scope = NewDisposeScope();
        long b = mlp.shape[0], n = 2 * b;
        var rows = cat([(mlp * mask.unsqueeze(-1)).view(b, -1), (noise * mask.unsqueeze(-1)).view(b, -1)], 0);
        var squared = (rows.unsqueeze(0) - rows.unsqueeze(1)).pow(2).sum(2);
        var width = squared.detach().sum() / (double)(n * n - n) / 4.0;
        var kernel = exp(-squared / width);
        for (int i = 1; i < 5; i++) kernel = kernel + exp(-squared / (width * (1 << i)));
        var (xx, yy) = (kernel.narrow(0, 0, b).narrow(1, 0, b), kernel.narrow(0, b, b).narrow(1, b, b));
        var (xy, yx) = (kernel.narrow(0, 0, b).narrow(1, b, b), kernel.narrow(0, b, b).narrow(1, 0, b));
        return (xx + yy - xy - yx).mean().MoveToOuterDisposeScope();
    }
}
