// A loss of one's own on hidden states, with RepNoise.Kernels alone. docs/custom-loss.md explains it; a test compiles and runs it.
using RepNoise.Kernels;

namespace RepNoise.Examples;

/// <summary>
/// The forget loss of RMU (Li et al., arXiv 2403.03218): pulls hidden states H (N, C) towards a fixed random direction,
/// <c>loss = mean over rows of |h - c u|^2</c>, so <c>dH = 2 / N (H - c u)</c>. Works on every device, in its number format.
/// </summary>
public sealed class MisdirectionLoss : IDisposable
{
    private readonly Device device;
    private readonly Tensor target; // (N, C): c u in every row
    private readonly Tensor difference; // (N, C)
    private readonly Tensor sum; // (1, 1)

    public MisdirectionLoss(Device device, int rows, int width, float scale, ulong seed)
    {
        this.device = device;
        target = device.AllocateTensor(BufferKind.Compute, rows, width, "loss");
        difference = device.AllocateTensor(BufferKind.Compute, rows, width, "loss");
        sum = device.AllocateTensor(BufferKind.Scalar, 1, 1, "loss");
        var direction = new float[width];
        GaussianNoise.Fill(direction, seed, step: 0, layer: 0, pairId: 0, position: 0);
        float norm = MathF.Sqrt(direction.Sum(v => v * v));
        for (int i = 0; i < width; i++) direction[i] *= scale / norm;
        for (int r = 0; r < rows; r++) device.Upload(direction, target.RowRange(r, 1));
    }

    /// <summary>Returns the loss and adds its gradient to <paramref name="dHidden"/>.</summary>
    public double Accumulate(Tensor hidden, Tensor dHidden)
    {
        device.Copy(difference, hidden);
        device.AddScaled(difference, target, -1);
        device.Fill(sum, 0);
        device.AddSquaredNorm(sum, difference);
        device.AddScaled(dHidden, difference, 2.0 / hidden.Rows);
        Span<double> value = [0];
        device.Download(sum, value);
        return value[0] / hidden.Rows;
    }

    public void Dispose()
    {
        foreach (var tensor in (ReadOnlySpan<Tensor>)[target, difference, sum]) tensor.Buffer.Dispose();
    }
}

public static class CustomLossExample
{
    /// <summary>Trains H = norm(embedding[ids]) W^T for some steps under the loss above; returns the loss of each step.</summary>
    public static double[] Run(Device device, int steps)
    {
        const int rows = 12, width = 16, vocabulary = 20;
        Tensor New(BufferKind kind, int r, int c) => device.AllocateTensor(kind, r, c, "example");
        var ids = device.AllocateIndices(rows, "example");
        device.Upload([.. Enumerable.Range(0, rows).Select(i => i * 7 % vocabulary)], ids);
        var embedding = New(BufferKind.Compute, vocabulary, width);
        var gain = New(BufferKind.Compute, 1, width);
        var values = new float[vocabulary * width];
        GaussianNoise.Fill(values, seed: 2, step: 0, layer: 0, pairId: 0, position: 0);
        device.Upload(values, embedding);
        device.Fill(gain, 1);
        Tensor master = New(BufferKind.State, width, width), weight = New(BufferKind.Compute, width, width);
        Tensor dWeight = New(BufferKind.State, width, width), m = New(BufferKind.State, width, width), v = New(BufferKind.State, width, width);
        Tensor x = New(BufferKind.Compute, rows, width), normed = New(BufferKind.Compute, rows, width), rstd = New(BufferKind.State, rows, 1);
        Tensor hidden = New(BufferKind.Compute, rows, width), dHidden = New(BufferKind.Compute, rows, width);
        var unclipped = New(BufferKind.Scalar, 1, 1);
        device.Fill(unclipped, 1);

        using var loss = new MisdirectionLoss(device, rows, width, scale: 3, seed: 1);
        var losses = new double[steps];
        for (int step = 0; step < steps; step++)
        {
            device.GatherRows(x, embedding, ids);
            device.RmsNormForward(normed, rstd, x, gain, 1e-6);
            device.Matmul(hidden, normed, weight, MatmulForm.NT);
            device.Fill(dHidden, 0);
            losses[step] = loss.Accumulate(hidden, dHidden);
            device.Fill(dWeight, 0);
            device.Matmul(dWeight, dHidden, normed, MatmulForm.TN, accumulate: true);
            device.AdamW(master, weight, dWeight, m, v, new AdamWStep(0.02, 0.9, 0.999, 1e-8, 0, true, step + 1), unclipped);
        }

        return losses;
    }
}
