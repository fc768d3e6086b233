namespace RepNoise.Kernels.Cuda;

/// <summary>Family adamw: the update. The norm of the gradients is a sum of family elementwise.</summary>
internal sealed class AdamW(CudaContext context)
{
    private const int Threads = 256;

    private readonly CudaKernel<Arguments> update = new(context, "adamw", $"adamw_f32_{context.Suffix}", Threads);

    /// <summary>Master weights, gradients and moments in the compute format.</summary>
    private readonly CudaKernel<Arguments> updateNarrow = new(context, "adamw", $"adamw_{context.Suffix}_{context.Suffix}", Threads);

    /// <summary>The same, rounded stochastically.</summary>
    private readonly Lazy<CudaKernel<StochasticArguments>> updateStochastic =
        new(() => new CudaKernel<StochasticArguments>(context, "adamw", $"adamw_stochastic_{context.Suffix}", Threads));

    public void Run(Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor)
    {
        if (step.Rounding is { } rounding)
        {
            RunStochastic(master, gradient, m, v, step, gradientFactor, rounding);
            return;
        }

        bool flat = Packs.CanFlatten(master, copy, gradient, m, v);
        var weights = Packs.Argument(master, flat);
        var kernel = MatrixArgument.FormatOf(master) == NumberFormat.Float32 ? update : updateNarrow;
        kernel.Launch(Packs.Over(weights.Rows, weights.Columns, Threads), new Arguments(
            weights, Packs.Argument(copy, flat), Packs.Argument(gradient, flat), Packs.Argument(m, flat), Packs.Argument(v, flat),
            context.FactorAddress(gradientFactor), Constants.Of(step)));
    }

    /// <summary>Rows and columns as they are, since the random bits follow from them.</summary>
    private void RunStochastic(
        Tensor master, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor, StochasticRounding rounding) =>
        updateStochastic.Value.Launch(Packs.Over(master.Rows, master.Columns, Threads), new StochasticArguments(
            MatrixArgument.Of(master), MatrixArgument.Of(gradient), MatrixArgument.Of(m), MatrixArgument.Of(v),
            context.FactorAddress(gradientFactor), Constants.Of(step), RoundingBits.Of(rounding, step.Step)));

    private readonly record struct StochasticArguments(
        MatrixArgument Master, MatrixArgument Gradient, MatrixArgument M, MatrixArgument V, nint Factor, Constants Constants, RoundingBits Bits);

    /// <summary>The stream of random bits: RoundingBits of stochastic_rounding.cuh.</summary>
    private readonly record struct RoundingBits(uint Key0, uint Key1, uint Tensor, uint Step)
    {
        public static RoundingBits Of(StochasticRounding rounding, int step)
        {
            var (key0, key1) = Philox.Key(rounding.Seed, PhiloxPurpose.Rounding);
            return new RoundingBits(key0, key1, rounding.Tensor, (uint)step);
        }
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
