using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Weights, objective and trainer of a run that is about to begin.</summary>
internal sealed class LoadedTraining : IDisposable
{
    /// <param name="source">The model.</param>
    /// <param name="device">Where it trains.</param>
    /// <param name="makeObjective">Makes data and loss for the weights.</param>
    /// <param name="arguments">The run's.</param>
    /// <param name="weights">False leaves the weights zero: a checkpoint will fill them.</param>
    public LoadedTraining(
        ModelSource source, Device device, Func<ModelParameters, ITrainingObjective> makeObjective, TrainingArguments arguments, bool weights)
    {
        Parameters = new ModelParameters(source.Config, device, ParameterUse.Training, arguments.Trained);
        if (weights || Parameters.Adapters.Count > 0) source.Load(Parameters); // a checkpoint has adapters, and not what they stand beside
        Objective = makeObjective(Parameters);
        Trainer = new Trainer(Parameters, Objective, arguments);
    }

    public ModelParameters Parameters { get; }

    public ITrainingObjective Objective { get; }

    public Trainer Trainer { get; }

    public void Dispose()
    {
        Trainer.Dispose();
        Objective.Dispose();
        Parameters.Dispose();
    }
}
