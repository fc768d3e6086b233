using ILGPU;
using ILGPU.Algorithms;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>The constants of an AdamW step, rounded once on the host.</summary>
internal readonly struct AdamWFactors(in AdamWStep step)
{
    public readonly float AddedDecay = step.Decoupled ? 0 : (float)step.WeightDecay;
    public readonly float Shrink = step.Decoupled ? (float)(1 - step.LearningRate * step.WeightDecay) : 1;
    public readonly float Beta1 = (float)step.Beta1;
    public readonly float Rest1 = (float)(1 - step.Beta1);
    public readonly float Beta2 = (float)step.Beta2;
    public readonly float Rest2 = (float)(1 - step.Beta2);
    public readonly float Rate = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
    public readonly float RootCorrection = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
    public readonly float Epsilon = (float)step.Epsilon;
}

/// <summary>Family adamw: the fused update, a thread per element.</summary>
internal static class AdamWCode
{
    /// <summary>PyTorch's order of operations; <paramref name="copy"/> is master itself where there is none to write.</summary>
    public static void Update(
        Matrix master, Matrix copy, Matrix gradient, Matrix m, Matrix v, AdamWFactors factors, ArrayView<double> gradientFactor, int hasCopy)
    {
        float factor = (float)gradientFactor[0];
        for (int row = Grid.IdxY; row < master.Rows; row += Grid.DimY)
        {
            for (int column = ElementwiseCode.FirstColumn(); column < master.Columns; column += ElementwiseCode.ColumnStep())
            {
                float weight = master[row, column];
                float g = factor * gradient[row, column] + factors.AddedDecay * weight;
                float first = factors.Beta1 * m[row, column] + factors.Rest1 * g;
                float second = factors.Beta2 * v[row, column] + factors.Rest2 * (g * g);
                float denominator = XMath.Sqrt(second) / factors.RootCorrection + factors.Epsilon;
                weight = weight * factors.Shrink - factors.Rate * (first / denominator);
                m[row, column] = first;
                v[row, column] = second;
                master[row, column] = weight;
                if (hasCopy != 0) copy[row, column] = weight;
            }
        }
    }
}
