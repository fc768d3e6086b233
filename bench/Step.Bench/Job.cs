using System.Text.Json;

namespace RepNoise.Bench;

/// <summary>What both sides of a comparison run, as one JSON file beside the weights. Compiled into either program.</summary>
/// <param name="Sft">True for plain fine-tuning on <paramref name="Harmful"/>, false for the RepNoise step.</param>
/// <param name="Vocab">V.</param>
/// <param name="Hidden">C.</param>
/// <param name="Intermediate">F.</param>
/// <param name="Layers">L.</param>
/// <param name="Heads">NH; every head has its own key and value.</param>
/// <param name="Length">T, the frame that the official code pads to.</param>
/// <param name="Harmful">B sequences without pads.</param>
/// <param name="Harmless">B sequences without pads.</param>
/// <param name="Threads">Threads of either side.</param>
/// <param name="Tensors">A safetensors file: the weights by their checkpoint names, and <c>noise.STEP.LAYER</c> (B, T, C).</param>
public sealed record Job(
    bool Sft, int Vocab, int Hidden, int Intermediate, int Layers, int Heads, int Length, int[][] Harmful, int[][] Harmless, int Threads, string Tensors)
{
    /// <summary>A matrix product in the place of a step; null for a step.</summary>
    public Product? Product { get; init; }

    /// <summary>Variants that our side is to use, by kernel family; empty for its own choice.</summary>
    public Dictionary<string, string> Kernels { get; init; } = [];

    /// <summary>Steps whose loss is compared before anything is timed; the second one sees the first one's update.</summary>
    public const int ProofSteps = 2;

    public const double LearningRate = 2e-5;
    public const double Alpha = 1;
    public const double Beta = 0.001;
    public const double NormEpsilon = 1e-5;
    public const double RopeTheta = 10000;

    /// <summary>The id of a pad; not 0, so a pad that faces text is a target.</summary>
    public const int PadId = 2;

    /// <summary>Name of a step's noise of one layer.</summary>
    public static string Noise(int step, int layer) => $"noise.{step}.{layer}";

    public static Job Read(string path) => JsonSerializer.Deserialize<Job>(File.ReadAllText(path))!;

    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this));
}

/// <summary>A product of the tensors <c>a</c> and <c>b</c> in the job's file.</summary>
/// <param name="M">Rows of the result.</param>
/// <param name="N">Columns of the result.</param>
/// <param name="K">Inner dimension.</param>
/// <param name="Form">NN, NT or TN: which operand is stored transposed.</param>
/// <param name="Repeats">Products in one timed step.</param>
public sealed record Product(int M, int N, int K, string Form, int Repeats)
{
    /// <summary>Shape of the stored A.</summary>
    public long[] AShape => Form == "TN" ? [K, M] : [M, K];

    /// <summary>Shape of the stored B.</summary>
    public long[] BShape => Form == "NT" ? [N, K] : [K, N];
}

/// <summary>A child's answer to one step.</summary>
/// <param name="Seconds">Wall time of the step, or of one product.</param>
/// <param name="Loss">Its loss, or the product's root mean square.</param>
public sealed record StepResult(double Seconds, double Loss);
