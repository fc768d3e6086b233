using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>Linear layers, with the adapters beside them, forward and backward.</summary>
public sealed partial class Transformer
{
    /// <summary>y = x W^T + b; each adapter adds scale (x A^T) B^T to its columns of y.</summary>
    private void Linear(Tensor output, Tensor input, WeightBlock weight, WeightBlock? bias)
    {
        device.Matmul(output, input, weight.Value, MatmulForm.NT, bias: bias?.Value ?? default);
        foreach (var adapter in weight.Adapters)
            device.Matmul(Columns(output, adapter), LowRank(adapter, input, adapter.A, MatmulForm.NT), adapter.B.Value, MatmulForm.NT, accumulate: true);
    }

    /// <summary>
    /// dX = dY W, dW += dY^T x, db += column sums of dY. For an adapter, with u = scale x A^T and du = scale dY B: dB += dY^T u,
    /// dA += du^T x, dX += du A. What is frozen gets no gradient.
    /// </summary>
    private void LinearBackward(Tensor dInput, Tensor dOutput, Tensor input, WeightBlock weight, WeightBlock? bias)
    {
        device.Matmul(dInput, dOutput, weight.Value, MatmulForm.NN);
        if (weight.IsTrained) AddProduct(weight, dOutput, input);
        if (bias is { IsTrained: true }) device.BiasBackward(bias.Gradient, dOutput);
        foreach (var adapter in weight.Adapters)
        {
            var dColumns = Columns(dOutput, adapter);
            AddProduct(adapter.B, dColumns, LowRank(adapter, input, adapter.A, MatmulForm.NT));
            var dLowRank = LowRank(adapter, dColumns, adapter.B, MatmulForm.NN);
            AddProduct(adapter.A, dLowRank, input);
            device.Matmul(dInput, dLowRank, adapter.A.Value, MatmulForm.NN, accumulate: true);
        }
    }

    /// <summary>dW += left^T right; the first since the gradients were zeroed overwrites.</summary>
    private void AddProduct(WeightBlock weight, Tensor left, Tensor right)
    {
        device.Matmul(weight.Gradient, left, right, MatmulForm.TN, accumulate: weight.HasGradient);
        weight.HasGradient = true;
    }

    /// <summary>(N, r): scale times a product with one of the adapter's matrices. Valid until the next.</summary>
    private Tensor LowRank(LoraAdapter adapter, Tensor input, WeightBlock matrix, MatmulForm form)
    {
        var (product, scaled) = (View(lowRank).ColumnRange(0, adapter.A.Rows), View(lowRankScaled).ColumnRange(0, adapter.A.Rows));
        device.Matmul(product, input, matrix.Value, form);
        device.Fill(scaled, 0);
        device.AddScaled(scaled, product, adapter.Scale);
        return scaled;
    }

    private static Tensor Columns(Tensor output, LoraAdapter adapter) =>
        output.ColumnRange(adapter.Target.FirstRow, adapter.Target.Rows);
}
