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

/// <summary>A child's answer to one step.</summary>
/// <param name="Seconds">Wall time of the step.</param>
/// <param name="Loss">Its loss.</param>
public sealed record StepResult(double Seconds, double Loss);
