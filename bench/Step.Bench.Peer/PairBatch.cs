using static TorchSharp.torch;

namespace RepNoise.Bench.Peer;

/// <summary>Both passes padded to T, with (B, 1, T, T) visibility where a sequence has pads.</summary>
internal sealed class PairBatch(Job job)
{
    public Tensor Harmful { get; } = Padded(job, job.Harmful);

    public Tensor Harmless { get; } = Padded(job, job.Harmless);

    public Tensor? HarmfulVisible { get; } = Visible(job, job.Harmful);

    public Tensor? HarmlessVisible { get; } = Visible(job, job.Harmless);

    private static Tensor Padded(Job job, int[][] texts)
    {
        long[] ids = [.. texts.SelectMany(t => t.Select(id => (long)id).Concat(Enumerable.Repeat((long)Job.PadId, job.Length - t.Length)))];
        return tensor(ids, [texts.Length, job.Length]);
    }

    private static Tensor? Visible(Job job, int[][] texts)
    {
        if (texts.All(t => t.Length == job.Length)) return null;
        var causal = ones(job.Length, job.Length, ScalarType.Bool).tril();
        var lengths = tensor(texts.Select(t => (long)t.Length).ToArray(), [texts.Length, 1, 1, 1]);
        return causal.logical_and(arange(job.Length).lt(lengths));
    }
}
