namespace RepNoise.Kernels.Cuda;

/// <summary>Family adamw: the update. The norm of the gradients is a sum of family elementwise.</summary>
internal sealed class AdamW(CudaContext context)
{
    private const int Threads = 256;

    private readonly CudaKernel<Arguments> update = new(context, "adamw", $"adamw_{context.Suffix}", Threads);

    public void Run(Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor)
    {
        bool flat = Packs.CanFlatten(master, copy, gradient, m, v);
        var weights = Packs.Argument(master, flat);
        update.Launch(Packs.Over(weights.Rows, weights.Columns, Threads), new Arguments(
            weights, Packs.Argument(copy, flat), Packs.Argument(gradient, flat), Packs.Argument(m, flat), Packs.Argument(v, flat),
            context.FactorAddress(gradientFactor), Constants.Of(step)));
    }

    private readonly record struct Arguments(
        MatrixArgument Master, MatrixArgument Copy, MatrixArgument Gradient, MatrixArgument M, MatrixArgument V, nint Factor, Constants Constants);

    /// <summary>A step's constants in fp32, each rounded once from double.</summary>
    private readonly record struct Constants(
        float Beta1, float Rest1, float Beta2, float Rest2, float Rate, float RootCorrection, float Epsilon, float Shrink, float AddedDecay)
    {
        public static Constants Of(in AdamWStep step) => new(
            (float)step.Beta1,
            (float)(1 - step.Beta1),
            (float)step.Beta2,
            (float)(1 - step.Beta2),
            (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step))),
            (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step)),
            (float)step.Epsilon,
            step.Decoupled ? (float)(1 - step.LearningRate * step.WeightDecay) : 1,
            step.Decoupled ? 0 : (float)step.WeightDecay);
    }
}
